#pragma once

#include <vector>

#include "daemon/core/descriptors.h"
#include "daemon/core/inspect_streams.h"
#include "daemon/core/process_tree.h"
#include "daemon/criu/criu.h"

namespace crd {

// The unix sockets of a tree (`sockets`: one descriptor each, out of `descriptors`): who is at the
// other end, and what waits in a listener's queue.
//
// A stream to somebody outside is dumped as "external" if one of the tree's standard streams leads
// to it, and is then a link; CRIU needs something in its place at restore, of whatever kind. A
// datagram socket can't be a link: CRIU 4.2.1 hangs in its restore.
Findings InspectUnixSockets(const ProcessTree& tree, const std::vector<Descriptor>& descriptors,
                            const std::vector<const Descriptor*>& sockets,
                            const criu::DumpOptions& options);

}  // namespace crd
