#pragma once

#include <string>

#include "daemon/base/result.h"
#include "daemon/base/unique_fd.h"
#include "daemon/core/engine_parts.h"

namespace crd {

// CRIU's lock: the nftables table that keeps the connections of a tree that is gone from being
// reset. CRIU leaves it in place after a dump that ended the tree.

// Name of the lock that the dump with these images leaves in crd's own network namespace; empty for
// a tree with a namespace of its own, where the lock ends with the namespace.
Result<std::string> NetworkLockOf(pid_t root, FdRef images);

// Removes the lock of a checkpoint, if it has one, and notes that it is gone. Best effort: what
// fails is logged.
void ReleaseNetworkLock(Inventory& inventory, const CheckpointRecord& checkpoint);

}  // namespace crd
