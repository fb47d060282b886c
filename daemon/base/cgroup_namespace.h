#pragma once

#include <string>
#include <vector>

#include "daemon/base/result.h"
#include "daemon/base/unique_fd.h"

namespace crd {

// A cgroup namespace whose roots are these cgroups (directories, v1 and v2): what a container sees
// that has its cgroups for itself. A namespace gets its roots from the process that makes it, so a
// child is moved there for that moment. Lives as long as the descriptor, or whoever has joined it.
// Needs CAP_SYS_ADMIN. Any thread.
Result<UniqueFd> MakeCgroupNamespace(const std::vector<std::string>& cgroups);

}  // namespace crd
