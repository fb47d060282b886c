#pragma once

#include <optional>
#include <string>

#include <sys/types.h>

#include "daemon/base/result.h"
#include "daemon/base/unique_fd.h"
#include "daemon/criu/criu.h"
#include "net/description.h"

namespace crd {

// The name by which CRIU's images refer to a tree's network namespace.
inline constexpr const char* kNetworkKey = "crd-net";

// How CRIU comes by a tree's network namespace, at the dump and at the restore.
enum class NetnsForCriu {
  kGiven,  // under TreeNetwork::key
  // It belongs to the tree's own user namespace: CRIU makes it anew with that, empty, for crd to
  // fill. One that was kept belongs to the user namespace that has gone.
  kMade,
  // It does not belong to the tree's own user namespace, in which nobody could enter it: CRIU runs
  // in it, and knows of none.
  kEntered,
};

// The network namespace that a process tree has for itself.
struct TreeNetwork {
  ino_t inode = 0;
  // Where somebody has bound it, by which it outlives the tree; empty: nowhere.
  std::string path;
  // An OCI container's, whose config.json names the path: somebody else makes it, and what is there
  // at the restore is joined whatever is in it.
  bool joined = false;
  NetnsForCriu for_criu = NetnsForCriu::kGiven;
  // What is joined in its place at the restore has to be given to CRIU under this name.
  std::string key = kNetworkKey;
  net::Description description;
};

// Nothing where the tree shares crd's own. Any thread; a few milliseconds.
Result<std::optional<TreeNetwork>> ReadTreeNetwork(pid_t root);

// The one that a container joins by this path, which runc and crun dump under a name of their own.
Result<TreeNetwork> ReadJoinedNetwork(const std::string& path);

// What is in it that keeps the tree from being dumped, because it would be missing afterwards.
Result<void> CheckReproducible(const TreeNetwork& network, criu::NetworkSaving saving);

// For criu::DumpRequest::external: CRIU leaves the namespace's contents alone.
std::string ExternalNetwork(const TreeNetwork& network);

// Whether a namespace that is there is still the one that was described.
Result<bool> IsSameNetwork(const TreeNetwork& network, FdRef netns);

}  // namespace crd
