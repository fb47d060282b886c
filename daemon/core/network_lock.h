#pragma once

#include <string>

#include "daemon/base/result.h"
#include "daemon/base/unique_fd.h"
#include "daemon/core/engine_parts.h"
#include "daemon/core/manifest.h"

namespace crd {

// CRIU's lock: the nftables table that keeps the connections of a tree that is gone from being
// reset. CRIU leaves it in place after a dump that ended the tree.

// Name of the lock that the dump with these images leaves, in crd's own network namespace or in the
// tree's; empty where the tree's ends with the tree, and the lock with it.
Result<std::string> NetworkLockOf(const Manifest& manifest, FdRef images);

// Where that is: a path that leads to the network namespace; empty for crd's own.
std::string LockedNetns(const Manifest& manifest);

// Lets the kernel there go on to say that the addresses are taken.
Result<void> OpenLockForNeighbours(const std::string& lock, const std::string& netns_path);

// Removes the lock of a checkpoint, if it has one, and notes that it is gone. `netns_path` is
// of LockedNetns(). Best effort: what fails is logged.
void ReleaseNetworkLock(Inventory& inventory, const CheckpointRecord& checkpoint,
                        const std::string& netns_path);

}  // namespace crd
