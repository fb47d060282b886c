#pragma once

#include <vector>

#include <sys/types.h>

#include "daemon/base/result.h"

namespace crd {

// Sets the timerfds of restored processes going that CRIU left disarmed: those that expire again
// and again, had expired and had not been read. The kernel begins their next period only with the
// read and shows a time of zero until then, which CRIU hands to timerfd_settime(2), where it means
// "disarm" (criu 4.2, restorer.c: timerfd_arm). What has expired so far is kept.
//
// For processes that are restored and do not run yet. Any thread.
Result<void> RearmTimers(const std::vector<pid_t>& processes);

}  // namespace crd
