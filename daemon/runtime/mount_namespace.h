#pragma once

#include <functional>
#include <string>

#include <sys/types.h>

#include "daemon/base/result.h"
#include "daemon/base/unique_fd.h"

namespace crd::runtime {

// Does something on a thread of its own in the mount namespace of a process, with that one's root.
// What it opens there stays open. Any thread.
Result<void> InMountNamespace(pid_t process, const std::function<Result<void>()>& work);

// In there: the mount `id` where it is mounted, only as a path. Follows no links. Not valid if
// another mount lies over it.
Result<UniqueFd> OpenMount(const std::string& mountpoint, int id);

}  // namespace crd::runtime
