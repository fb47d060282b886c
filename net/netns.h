#pragma once

#include <functional>

#include "daemon/base/result.h"
#include "daemon/base/unique_fd.h"

namespace crd::net {

// Runs `work` on a thread of its own that has entered the network namespace, and waits for it: no
// other thread of this process ever changes its namespace. An invalid `netns` means the caller's,
// and runs it right here. Sockets that `work` opens stay in the namespace they were opened in.
// Any thread; needs CAP_SYS_ADMIN.
Result<void> RunInNetns(FdRef netns, const std::function<Result<void>()>& work);

}  // namespace crd::net
