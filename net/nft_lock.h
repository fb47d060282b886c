#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "daemon/base/result.h"
#include "daemon/base/unique_fd.h"

namespace crd::net {

// The tables by which CRIU keeps the network away from a tree: "CRIU-…" of nftables' family inet,
// in the tree's network namespace, or in CRIU's own with one entry per connection (criu 4.2,
// netfilter.c). They outlive a CRIU that was killed, and a dump that ended its tree.
//
// `netns` invalid: the calling thread's. Any thread; needs CAP_NET_ADMIN there, and CAP_SYS_ADMIN
// to go elsewhere.

// Names of the locks that are there now.
Result<std::vector<std::string>> ListNetworkLocks(FdRef netns = FdRef(-1));

// Every other table of nftables, as "family name".
Result<std::vector<std::string>> ListForeignTables(FdRef netns = FdRef(-1));

// Removes one lock. Having nothing to remove is no error; a name that is not CRIU's is
// kInvalidArgument.
Result<void> RemoveNetworkLock(const std::string& name, FdRef netns = FdRef(-1));

// Lets neighbour discovery through a lock: ARP passes by it, but for IPv6 nobody would answer that
// the namespace's addresses are taken.
Result<void> LetNeighboursThrough(const std::string& name, FdRef netns);

// The name of the lock of the CRIU run with this id. CRIU cuts it to what fits its buffer of 32
// bytes together with "inet " (criu 4.2, netfilter.c).
std::string NetworkLockName(std::string_view run_id);

// "CRIU-" and then letters, digits and '-'.
bool IsNetworkLockName(std::string_view name);

}  // namespace crd::net
