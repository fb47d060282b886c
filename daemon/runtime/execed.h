#pragma once

#include <vector>

#include <sys/types.h>

#include "daemon/base/clock.h"
#include "daemon/base/result.h"

namespace crd::runtime {

// Kills processes that were started in a container from outside, and waits until they are gone:
// also a zombie would make the end of the container's pid namespace wait. One that is not in the
// container's mount namespace is left alone: its pid is another's by now. kDeadlineExceeded names
// one that stays.
Result<void> EndExeced(pid_t init, const std::vector<pid_t>& pids, Deadline patience);

}  // namespace crd::runtime
