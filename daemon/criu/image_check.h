#pragma once

#include <string>

#include <sys/types.h>

#include "daemon/base/result.h"
#include "daemon/base/unique_fd.h"

namespace crd::criu {

// Whether images of unknown origin are whole: every process and thread has its own, and pages files
// are as long as they must be, for of ones that are too short CRIU 4.2 never lets go. kDataLoss,
// naming the file; kUnimplemented for a checkpoint that builds on an earlier one.
Result<void> CheckComplete(FdRef images);

// The name of a process, as the kernel has it (comm).
Result<std::string> ReadCommand(FdRef images, pid_t pid);

}  // namespace crd::criu
