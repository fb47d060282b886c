#include "net/build.h"

#include <algorithm>
#include <chrono>
#include <map>
#include <thread>

#include <fcntl.h>
#include <linux/if_link.h>
#include <sys/socket.h>

#include "net/configure.h"
#include "net/netns.h"
#include "net/sysctls.h"
#include "net/tables.h"

namespace crd::net {
namespace {

constexpr std::uint32_t kUp = 1;  // IFF_UP; its header and that of if_link do not go together
constexpr std::uint32_t kAllFlags = ~0U;
constexpr auto kCarrierPatience = std::chrono::seconds(10);
constexpr auto kLookAgain = std::chrono::milliseconds(1);

class Builder {
 public:
  Builder(const Description& description, FdRef netns, UniqueFd host, Netlink inside,
          Netlink outside)
      : description_(description),
        netns_(netns),
        host_(std::move(host)),
        inside_(std::move(inside)),
        outside_(std::move(outside)) {}

  Result<void> Run();
  [[nodiscard]] const std::vector<int>& outer_ends() const { return outer_ends_; }

 private:
  Result<void> Make(const Interface& interface);
  Result<void> BringUp(const Interface& interface);
  Result<void> AwaitCarrier(const Interface& interface);
  Result<void> SetAddresses(const Interface& interface);
  Result<void> SetRules();
  [[nodiscard]] int IndexOf(const std::string& name) const {
    const auto found = indices_.find(name);
    return found == indices_.end() ? 0 : found->second;
  }

  const Description& description_;
  const FdRef netns_;
  const UniqueFd host_;
  Netlink inside_;
  Netlink outside_;
  std::map<std::string, int> indices_;
  std::vector<int> outer_ends_;
};

Result<void> Builder::Run() {
  const Sysctls when_new = TRY(ReadSysctls(netns_, {"lo"}));
  std::vector<std::string> names;
  for (const Interface& interface : description_.interfaces) {
    names.push_back(interface.name);
    indices_[interface.name] = interface.index;
    TRY(Make(interface));
  }
  // Before anything is up: some of them say what is to happen then.
  TRY(WriteSysctls(netns_, description_.sysctls, TRY(ReadSysctls(netns_, names)), when_new));
  for (const Interface& interface : description_.interfaces) TRY(BringUp(interface));
  for (const Interface& interface : description_.interfaces) {
    TRY(AwaitCarrier(interface));
    TRY(SetAddresses(interface));
  }
  for (const Route& route : description_.routes) {
    TRY(AddRoute(inside_, route, IndexOf(route.interface)));
  }
  TRY(SetRules());
  for (const Neighbour& neighbour : description_.neighbours) {
    TRY(AddNeighbour(inside_, neighbour, IndexOf(neighbour.interface)));
  }
  return {};
}

Result<void> Builder::Make(const Interface& interface) {
  if (interface.kind == "veth" && interface.host_end.has_value()) {
    TRY(AddVeth(inside_, interface, host_.ref()));
    outer_ends_.push_back(TRY(FindLink(outside_, interface.host_end->name)).index);
  } else if (interface.kind == "macvlan") {
    const Link parent = TRY(FindLink(outside_, interface.parent));
    TRY(AddMacvlan(inside_, interface, host_.ref(), parent.index));
  }
  return {};
}

// Addresses that the kernel would make by itself are made here, with all others: its own would have
// to wait for duplicate detection.
Result<void> Builder::BringUp(const Interface& interface) {
  if (interface.host_end.has_value() && interface.host_end->up) {
    TRY(ChangeLink(outside_, TRY(FindLink(outside_, interface.host_end->name)).index,
                   {.flags = kUp, .mask = kUp}));
  }
  if (interface.address_generation >= 0) {
    // In an order of its own: in one with others, the kernel would bring the interface up first.
    TRY(ChangeLink(inside_, interface.index, {.address_generation = IN6_ADDR_GEN_MODE_NONE}));
  }
  return ChangeLink(inside_, interface.index,
                    {.flags = interface.flags,
                     .mask = kAllFlags,
                     .mtu = interface.mtu,
                     .transmit_queue = interface.transmit_queue,
                     .alias = interface.alias});
}

// The kernel notices a while after both ends are up. Before that it drops what is sent, and when it
// does it makes a link-local address unless it is kept from it.
Result<void> Builder::AwaitCarrier(const Interface& interface) {
  const bool comes = interface.up() && interface.host_end.has_value() && interface.host_end->up;
  const Deadline patience = SteadyClock::now() + kCarrierPatience;
  while (comes && !TRY(FindLink(inside_, interface.index)).operational) {
    if (SteadyClock::now() >= patience) {
      return Error{.code = Code::kDeadlineExceeded,
                   .message = fmt::format("interface '{}' gets no carrier", interface.name)};
    }
    std::this_thread::sleep_for(kLookAgain);
  }
  return {};
}

Result<void> Builder::SetAddresses(const Interface& interface) {
  // The kernel lists IPv4 addresses as they came, and IPv6 addresses of a scope newest first.
  for (const Address& address : interface.addresses) {
    if (FamilyOf(address.local) != AF_INET) continue;
    TRY(AddAddress(inside_, interface.index, address));
  }
  for (auto address = interface.addresses.rbegin(); address != interface.addresses.rend();
       ++address) {
    if (FamilyOf(address->local) != AF_INET6) continue;
    TRY(AddAddress(inside_, interface.index, *address));
  }
  if (interface.kind == "loopback") {
    for (const auto& [index, there] : TRY(ListAddresses(inside_, interface.index))) {
      const auto same = [&there = there](const Address& wanted) {
        return wanted.local == there.local && wanted.prefix_length == there.prefix_length;
      };
      if (std::none_of(interface.addresses.begin(), interface.addresses.end(), same)) {
        TRY(RemoveAddress(inside_, index, there));
      }
    }
  }
  if (interface.address_generation < 0) return {};
  return ChangeLink(inside_, interface.index, {.address_generation = interface.address_generation});
}

Result<void> Builder::SetRules() {
  std::vector<std::string> ignored;
  const std::vector<Rule> now = TRY(ListRules(inside_, ignored));
  const auto has = [](const std::vector<Rule>& rules, const Rule& rule) {
    return std::find(rules.begin(), rules.end(), rule) != rules.end();
  };
  for (const Rule& rule : description_.rules) {
    if (!has(now, rule)) TRY(AddRule(inside_, rule));
  }
  for (const Rule& rule : now) {
    if (!has(description_.rules, rule)) TRY(RemoveRule(inside_, rule));
  }
  return {};
}

Result<UniqueFd> OpenOwnNetns() {
  UniqueFd host(::open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC));
  if (!host.valid()) return Error::Errno("open crd's network namespace");
  return host;
}

}  // namespace

Result<BuiltNamespace> BuiltNamespace::Build(const Description& description) {
  return BuildIn(description, TRY(MakeNetns()));
}

Result<BuiltNamespace> BuiltNamespace::BuildIn(const Description& description, UniqueFd netns) {
  BuiltNamespace built(description, std::move(netns));
  Builder builder(description, built.netns(), TRY(OpenOwnNetns()),
                  TRY(Netlink::Open(built.netns())), TRY(Netlink::Open()));
  auto done = builder.Run();
  built.outer_ends_ = builder.outer_ends();
  if (!done.ok()) return std::move(done).error();
  return built;
}

// The kernel would take them down with the namespace, but later: and their names are to be free
// now.
BuiltNamespace::~BuiltNamespace() {
  if (outer_ends_.empty()) return;
  auto outside = Netlink::Open();
  if (!outside.ok()) return;
  for (const int index : outer_ends_) static_cast<void>(RemoveLink(*outside, index));
}

Result<UniqueFd> MakeEmptyNetns() {
  UniqueFd netns = TRY(MakeNetns());
  Netlink inside = TRY(Netlink::Open(netns.ref()));
  TRY(ChangeLink(inside, TRY(FindLink(inside, "lo")).index, {.flags = kUp, .mask = kUp}));
  return netns;
}

Result<void> AdoptOuterEnds(const Description& description) {
  Netlink outside = TRY(Netlink::Open());
  for (const Interface& interface : description.interfaces) {
    if (!interface.host_end.has_value()) continue;
    const HostEnd& end = *interface.host_end;
    const int index = TRY(FindLink(outside, end.name)).index;
    TRY(ChangeLink(outside, index, {.mtu = end.mtu, .mac = TRY(ParseMac(end.mac))}));
    if (end.up) TRY(ChangeLink(outside, index, {.flags = kUp, .mask = kUp}));
  }
  return PlugOuterEnds(description);
}

Result<void> PlugOuterEnds(const Description& description) {
  Netlink outside = TRY(Netlink::Open());
  std::map<int, const BridgePort*> ports;
  for (const Interface& interface : description.interfaces) {
    if (!interface.host_end.has_value()) continue;
    const HostEnd& end = *interface.host_end;
    const int index = TRY(FindLink(outside, end.name)).index;
    if (end.port.has_value()) {
      const Link bridge = TRY(FindLink(outside, end.port->bridge));
      TRY(PlugIntoBridge(outside, index, bridge.index, *end.port));
      if (!end.port->vlans.empty()) ports[index] = &*end.port;
    }
    for (const Address& address : end.addresses) TRY(AddAddress(outside, index, address));
    for (const Route& route : end.routes) TRY(AddRoute(outside, route, index));
  }
  if (ports.empty()) return {};
  auto vlans = TRY(ListVlans(outside));
  for (const auto& [index, port] : ports) {
    TRY(SetVlans(outside, index, vlans[index], port->vlans));
  }
  return {};
}

}  // namespace crd::net
