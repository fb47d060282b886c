#pragma once

#include "daemon/base/result.h"
#include "daemon/base/unique_fd.h"

namespace crd::net {

// Brings `lo` of a network namespace up; the kernel gives it its addresses. Any thread.
Result<void> BringLoopbackUp(FdRef netns);

}  // namespace crd::net
