#include "daemon/core/tree_network.h"

#include <algorithm>
#include <sstream>

#include <sys/stat.h>

#include "daemon/base/files.h"
#include "daemon/runtime/saved_container.h"
#include "net/describe.h"
#include "net/netns.h"
#include "net/refusals.h"

namespace crd {
namespace {

Result<ino_t> InodeOf(FdRef netns) {
  struct stat status {};
  if (::fstat(netns.get(), &status) != 0) return Error::Errno("look at a network namespace");
  return status.st_ino;
}

// The mount point whose root is the namespace (proc(5), mountinfo: fields 4 and 5).
Result<std::string> FindPath(ino_t inode) {
  std::istringstream mounts(TRY(ReadFile("/proc/thread-self/mountinfo")));
  const std::string wanted = fmt::format("net:[{}]", inode);
  for (std::string line; std::getline(mounts, line);) {
    std::istringstream fields(line);
    std::string ignored, root, path;
    fields >> ignored >> ignored >> ignored >> root >> path;
    // Escaped paths are nobody's choice for a namespace, and would have to be unescaped.
    if (root == wanted && path.find('\\') == std::string::npos) return path;
  }
  return std::string();
}

// What others know an interface by.
bool SameIdentity(const net::Interface& a, const net::Interface& b) {
  const auto locals = [](const net::Interface& interface) {
    std::vector<std::string> texts;
    for (const net::Address& address : interface.addresses) texts.push_back(address.local);
    std::sort(texts.begin(), texts.end());
    return texts;
  };
  const auto outer = [](const net::Interface& interface) {
    return interface.host_end.has_value() ? interface.host_end->name : std::string();
  };
  return a.name == b.name && a.index == b.index && a.mac == b.mac && locals(a) == locals(b) &&
         outer(a) == outer(b);
}

}  // namespace

Result<std::optional<TreeNetwork>> ReadTreeNetwork(pid_t root) {
  const UniqueFd theirs = TRY(net::OpenNetns(fmt::format("/proc/{}/ns/net", root)));
  const UniqueFd ours = TRY(net::OpenNetns("/proc/thread-self/ns/net"));
  TreeNetwork network{.inode = TRY(InodeOf(theirs.ref()))};
  if (network.inode == TRY(InodeOf(ours.ref()))) return std::optional<TreeNetwork>();
  network.path = TRY(FindPath(network.inode));
  network.description = TRY(net::Describe(theirs.ref()));
  return std::optional(std::move(network));
}

Result<TreeNetwork> ReadJoinedNetwork(const std::string& path) {
  const UniqueFd netns = TRY(net::OpenNetns(path));
  return TreeNetwork{.inode = TRY(InodeOf(netns.ref())),
                     .path = path,
                     .joined = true,
                     .key = runtime::kNetworkKey,
                     .description = TRY(net::Describe(netns.ref()))};
}

Result<void> CheckReproducible(const TreeNetwork& network, criu::NetworkSaving saving) {
  const auto& missing = network.description.unreproducible;
  const bool crd_builds = saving == criu::NetworkSaving::kDescribed && !network.joined;
  if (!crd_builds || missing.empty()) return {};
  return net::refusal::NetworkUnreproducible(missing);
}

std::string ExternalNetwork(const TreeNetwork& network) {
  return fmt::format("net[{}]:{}", network.inode, network.key);
}

Result<bool> IsSameNetwork(const TreeNetwork& network, FdRef netns) {
  if (TRY(InodeOf(netns)) != network.inode) return false;
  const auto now = TRY(net::Describe(netns)).interfaces;
  const auto& then = network.description.interfaces;
  return std::equal(now.begin(), now.end(), then.begin(), then.end(), SameIdentity);
}

}  // namespace crd
