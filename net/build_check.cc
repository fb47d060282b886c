#include <chrono>
#include <map>
#include <set>
#include <thread>

#include "net/build.h"
#include "net/configure.h"
#include "net/links.h"
#include "net/refusals.h"
#include "net/tables.h"

namespace crd::net {
namespace {

constexpr auto kLookAgain = std::chrono::milliseconds(5);

class HostCheck {
 public:
  HostCheck(Netlink outside, Deadline patience)
      : outside_(std::move(outside)), patience_(patience) {}

  // Of all before anything else: what is waited for may have MACs that are asked for later.
  Result<void> CheckNames(const Interface& interface) {
    TRY(CheckInterfaceName(interface.name));
    if (!interface.host_end.has_value()) return {};
    TRY(CheckInterfaceName(interface.host_end->name));
    return AwaitName(*interface.host_end);
  }

  Result<void> Check(const Interface& interface) {
    if (interface.host_end.has_value() && interface.host_end->port.has_value()) {
      TRY(CheckBridgeMacs(interface, TRY(CheckBridge(interface, *interface.host_end->port))));
    }
    if (interface.kind == "macvlan") {
      const auto parent = FindLink(outside_, interface.parent);
      if (!parent.ok() && parent.error().code == Code::kNotFound) {
        return refusal::ParentGone(interface.parent, interface.name);
      }
      TRY(parent);
    }
    return CheckMac(interface);
  }

  Result<Link> CheckBridge(const Interface& interface, const BridgePort& port) {
    auto bridge = FindLink(outside_, port.bridge);
    if (!bridge.ok() && bridge.error().code == Code::kNotFound) {
      return refusal::BridgeGone(port.bridge, interface.name);
    }
    TRY(bridge);
    if (bridge->kind != "bridge") return refusal::NotABridge(bridge->name, bridge->kind);
    TRY(CheckSubnets(interface, port, bridge->index));
    return bridge;
  }

 private:
  Result<void> AwaitName(const HostEnd& end) {
    for (;;) {
      const auto holder = FindLink(outside_, end.name);
      if (!holder.ok()) {
        return holder.error().code == Code::kNotFound ? Result<void>() : holder.error();
      }
      const bool perhaps_ending = holder->kind == "veth" && holder->mac == end.mac;
      if (!perhaps_ending || SteadyClock::now() >= patience_) {
        return refusal::HostInterfaceTaken(end.name, holder->kind);
      }
      std::this_thread::sleep_for(kLookAgain);
    }
  }

  // Each address that was in a subnet of the bridge has to be in one of its subnets now.
  Result<void> CheckSubnets(const Interface& interface, const BridgePort& port, int bridge) {
    std::vector<Prefix> then;
    for (const std::string& text : port.bridge_addresses) then.push_back(TRY(ParsePrefix(text)));
    std::vector<Prefix> now;
    std::vector<std::string> shown;
    for (const auto& [index, address] : TRY(ListAddresses(outside_, bridge))) {
      if (IsLinkLocal(address)) continue;
      shown.push_back(fmt::format("{}/{}", address.local, address.prefix_length));
      now.push_back(TRY(ParsePrefix(shown.back())));
    }
    const auto in = [](const std::vector<Prefix>& subnets, const Bytes& address) {
      return std::any_of(subnets.begin(), subnets.end(),
                         [&](const Prefix& subnet) { return Contains(subnet, address); });
    };
    for (const Address& address : interface.addresses) {
      const Bytes bytes = TRY(ParseAddress(address.local));
      if (in(then, bytes) && !in(now, bytes)) {
        return refusal::BridgeOfAnotherSubnet(port.bridge, address.local, shown);
      }
    }
    return {};
  }

  Result<void> CheckBridgeMacs(const Interface& interface, const Link& bridge) {
    auto known = bridge_macs_.find(bridge.index);
    if (known == bridge_macs_.end()) {
      known = bridge_macs_.emplace(bridge.index, TRY(ListMacs(outside_, bridge.index))).first;
    }
    const auto seen = known->second.find(interface.mac);
    if (seen == known->second.end()) return {};
    const auto link = FindLink(outside_, seen->second);
    const std::string name = link.ok() ? link->name : fmt::format("{}", seen->second);
    return refusal::MacInUse(interface.mac,
                             fmt::format("port '{}' of bridge '{}'", name, bridge.name));
  }

  Result<void> CheckMac(const Interface& interface) {
    if (interface.kind == "loopback") return {};
    if (!macs_.insert(interface.mac).second) return {};  // its own interfaces may share one
    if (host_macs_.empty()) {
      for (const Link& link : TRY(ListLinks(outside_))) host_macs_.emplace(link.mac, link.name);
    }
    const auto holder = host_macs_.find(interface.mac);
    if (holder == host_macs_.end()) return {};
    return refusal::MacInUse(interface.mac, fmt::format("interface '{}'", holder->second));
  }

  Netlink outside_;
  const Deadline patience_;
  std::set<std::string> macs_;
  // Listed once each, however many interfaces there are. Outer ends that were still ending have
  // been waited for before.
  std::map<int, std::multimap<std::string, int>> bridge_macs_;  // by the bridge's index
  std::multimap<std::string, std::string> host_macs_;           // interfaces' names
};

}  // namespace

Result<void> CheckBuildable(const Description& description, Deadline patience) {
  if (!description.unreproducible.empty()) {
    return refusal::NetworkUnreproducible(description.unreproducible);
  }
  return CheckHost(description, patience);
}

Result<void> CheckBridges(const Description& description) {
  HostCheck check(TRY(Netlink::Open()), SteadyClock::now());
  for (const Interface& interface : description.interfaces) {
    if (!interface.host_end.has_value() || !interface.host_end->port.has_value()) continue;
    TRY(check.CheckBridge(interface, *interface.host_end->port));
  }
  return {};
}

Result<void> CheckHost(const Description& description, Deadline patience) {
  HostCheck check(TRY(Netlink::Open()), patience);
  for (const Interface& interface : description.interfaces) TRY(check.CheckNames(interface));
  for (const Interface& interface : description.interfaces) TRY(check.Check(interface));
  return {};
}

}  // namespace crd::net
