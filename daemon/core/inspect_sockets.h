#pragma once

#include <vector>

#include "daemon/core/descriptors.h"
#include "daemon/core/inspect_streams.h"
#include "daemon/core/process_tree.h"
#include "daemon/criu/criu.h"

namespace crd {

// Every socket of a tree. Asks the sockets themselves, through copies of their descriptors that
// live for microseconds (pidfd_getfd, Linux 5.6): that tells more than the kernel's tables, and
// costs nothing for the sockets of others. The kernel's list is asked only about unix sockets, one
// by one, and the host is searched only for peers that the tree does not have. `descriptors`: of
// all processes, root first. Any thread.
Findings InspectSockets(const ProcessTree& tree, const std::vector<Descriptor>& descriptors,
                        const criu::DumpOptions& options);

}  // namespace crd
