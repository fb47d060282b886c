#pragma once

#include <vector>

#include "daemon/base/unique_fd.h"
#include "daemon/core/process_tree.h"

namespace crd {

// Puts right what a CRIU that was killed in the middle of a dump leaves behind: connections in
// repair mode, which never send again, and its network lock, which drops their packets (criu 4.2:
// neither is undone by anything but CRIU itself). `work` holds CRIU's log, which names the lock.
// Best effort: what fails is logged. A program that uses a connection before it is cured gets EPERM
// or EINVAL: a CRIU that dies lets its tree go at once.
void CureAfterKilledDump(const std::vector<TreeProcess>& processes, FdRef work);

}  // namespace crd
