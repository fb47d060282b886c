#pragma once

#include <optional>
#include <string>

#include <sys/types.h>

#include "daemon/base/result.h"
#include "daemon/base/unique_fd.h"
#include "net/description.h"

namespace crd {

// The network namespace that a process tree has for itself.
struct TreeNetwork {
  ino_t inode = 0;
  // Where somebody has bound it, by which it outlives the tree; empty: nowhere.
  std::string path;
  net::Description description;
};

// The name by which CRIU's images refer to it: what is joined in its place has to be given with it.
inline constexpr const char* kNetworkKey = "crd-net";

// Nothing where the tree shares crd's own. Any thread; a few milliseconds.
Result<std::optional<TreeNetwork>> ReadTreeNetwork(pid_t root);

// For criu::DumpRequest::external: CRIU leaves the namespace's contents alone.
std::string ExternalNetwork(const TreeNetwork& network);

// Whether a namespace that is there is still the one that was described.
Result<bool> IsSameNetwork(const TreeNetwork& network, FdRef netns);

}  // namespace crd
