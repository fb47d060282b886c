#pragma once

#include <vector>

#include <sys/types.h>

#include "daemon/base/result.h"
#include "daemon/base/unique_fd.h"

namespace crd {

// Sets the timerfds of restored processes going that CRIU left disarmed: those that expire again
// and again, had expired and had not been read. The kernel begins their next period only with the
// read and shows a time of zero until then, which CRIU hands to timerfd_settime(2), where it means
// "disarm" (criu 4.2, restorer.c: timerfd_arm). What has expired so far is kept.
//
// For processes that are restored and do not run yet. Any thread.
Result<void> RearmTimers(const std::vector<pid_t>& processes);
// Likewise of the whole tree, if it has any by its images.
Result<void> SetTimersGoing(pid_t root, FdRef images);

}  // namespace crd
