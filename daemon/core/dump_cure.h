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

// CRIU ends a tree process by process, its root first (criu 4.2, seize.c: pstree_switch_state). One
// that was killed meanwhile leaves half a tree, which is neither what runs nor what was dumped:
// this kills the rest. False if nothing of it had ended: then it runs on.
bool EndRestOfTree(const ProcessTree& tree);

}  // namespace crd
