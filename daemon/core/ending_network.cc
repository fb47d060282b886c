#include "daemon/core/ending_network.h"

#include "daemon/base/log.h"
#include "net/bridge.h"
#include "net/netns.h"

namespace crd {

EndingNetwork::EndingNetwork(pid_t root, const net::Description& description)
    : description_(description) {
  auto netns = net::OpenNetns(fmt::format("/proc/{}/ns/net", root));
  if (netns.ok()) {
    netns_ = *std::move(netns);
  } else {
    spdlog::warn("keep the network of a tree that ends: {}, ignoring", netns.error().message);
  }
}

void EndingNetwork::Dismantle() {
  for (const net::Interface& interface : description_.interfaces) {
    if (!interface.host_end.has_value()) continue;
    const auto removed = net::RemoveVeth(interface.host_end->name, interface.host_end->mac);
    if (!removed.ok()) spdlog::warn("{}, ignoring", removed.error().message);
  }
  netns_.reset();
}

}  // namespace crd
