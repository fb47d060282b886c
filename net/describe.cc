#include "net/describe.h"

#include <algorithm>

#include <fcntl.h>
#include <net/if.h>

#include "daemon/base/files.h"
#include "net/links.h"
#include "net/netns.h"
#include "net/nft_lock.h"
#include "net/sysctls.h"
#include "net/tables.h"

namespace crd::net {
namespace {

constexpr std::uint32_t kSettableFlags =
    IFF_UP | IFF_NOARP | IFF_PROMISC | IFF_ALLMULTI | IFF_MULTICAST | IFF_DYNAMIC;

class Describer {
 public:
  Describer(FdRef netns, Netlink inside, Netlink outside)
      : netns_(netns), inside_(std::move(inside)), outside_(std::move(outside)) {}

  Result<Description> Run() &&;

 private:
  Result<void> Take(const Link& link);
  Result<void> TakeVeth(const Link& link, Interface& interface);
  Result<void> TakeMacvlan(const Link& link, Interface& interface);
  Result<HostEnd> DescribeHostEnd(const Link& outer, const std::string& inner);
  Result<BridgePort> DescribePort(const Link& outer, const Link& bridge);
  Result<void> TakeAddresses();
  Result<void> TakeFirewall();
  Result<void> TakeSysctls();
  template <typename... Args>
  void CannotBeMade(fmt::format_string<Args...> what, Args&&... args) {
    description_.unreproducible.push_back(fmt::format(what, std::forward<Args>(args)...));
  }

  const FdRef netns_;
  Netlink inside_;
  Netlink outside_;
  InterfaceNames names_;
  std::optional<std::map<int, std::vector<BridgeVlan>>> vlans_;  // of ports outside; listed once
  Description description_;
};

Result<Description> Describer::Run() && {
  std::vector<Link> links = TRY(ListLinks(inside_));
  std::sort(links.begin(), links.end(),
            [](const Link& a, const Link& b) { return a.index < b.index; });
  for (const Link& link : links) {
    names_[link.index] = link.name;
    TRY(Take(link));
  }
  TRY(TakeAddresses());
  description_.routes = TRY(ListRoutes(inside_, names_, description_.unreproducible));
  description_.rules = TRY(ListRules(inside_, description_.unreproducible));
  description_.neighbours = TRY(ListNeighbours(inside_, names_));
  TRY(TakeFirewall());
  TRY(TakeSysctls());
  return std::move(description_);
}

Result<void> Describer::Take(const Link& link) {
  Interface interface {
    .name = link.name, .index = link.index, .kind = link.kind.empty() ? "hardware" : link.kind,
    .mac = link.mac, .mtu = link.mtu, .flags = link.flags & kSettableFlags, .alias = link.alias,
    .transmit_queue = link.transmit_queue, .address_generation = link.address_generation
  };
  if (link.kind == "veth") {
    TRY(TakeVeth(link, interface));
  } else if (link.kind == "macvlan") {
    TRY(TakeMacvlan(link, interface));
  } else if (link.kind != "loopback") {
    CannotBeMade("interface '{}' is of kind {}", link.name, interface.kind);
  }
  if (link.master != 0) CannotBeMade("interface '{}' is part of another one", link.name);
  if (link.has_program) CannotBeMade("interface '{}' runs an XDP program", link.name);
  if (link.queueing != "noqueue" && link.queueing != "noop" && !link.queueing.empty()) {
    CannotBeMade("interface '{}' has the queueing discipline {}", link.name, link.queueing);
  }
  description_.interfaces.push_back(std::move(interface));
  return {};
}

// The other end belongs to it if it says so itself: the same index may be another's elsewhere.
Result<void> Describer::TakeVeth(const Link& link, Interface& interface) {
  const auto outer = FindLink(outside_, link.peer);
  if (!outer.ok() && outer.error().code != Code::kNotFound) return outer.error();
  const bool paired = link.peer_namespace.has_value() && outer.ok() && outer->kind == "veth" &&
                      outer->peer == link.index && outer->peer_namespace.has_value() &&
                      *outer->peer_namespace == TRY(NamespaceId(outside_, netns_));
  if (!paired) {
    CannotBeMade("the other end of '{}' is not in crd's network namespace", link.name);
    return {};
  }
  interface.host_end = TRY(DescribeHostEnd(*outer, link.name));
  return {};
}

Result<HostEnd> Describer::DescribeHostEnd(const Link& outer, const std::string& inner) {
  HostEnd end{
      .name = outer.name, .mac = outer.mac, .mtu = outer.mtu, .up = (outer.flags & IFF_UP) != 0};
  if (outer.has_program)
    CannotBeMade("'{}', the outer end of '{}', runs an XDP program", outer.name, inner);
  if (outer.queueing != "noqueue" && outer.queueing != "noop") {
    CannotBeMade("'{}', the outer end of '{}', has the queueing discipline {}", outer.name, inner,
                 outer.queueing);
  }
  if (outer.master != 0) {
    const Link master = TRY(FindLink(outside_, outer.master));
    if (master.kind != "bridge") {
      CannotBeMade("'{}', the outer end of '{}', is part of a {}", outer.name, inner, master.kind);
      return end;
    }
    end.port = TRY(DescribePort(outer, master));
    return end;
  }
  for (auto& [index, address] : TRY(ListAddresses(outside_, outer.index))) {
    if (!IsLinkLocal(address)) end.addresses.push_back(std::move(address));
  }
  end.routes = TRY(
      ListRoutes(outside_, {{outer.index, outer.name}}, description_.unreproducible, outer.index));
  return end;
}

Result<BridgePort> Describer::DescribePort(const Link& outer, const Link& bridge) {
  BridgePort port{
      .bridge = bridge.name, .vlans = {}, .hairpin = outer.hairpin, .isolated = outer.isolated};
  if (!vlans_.has_value()) vlans_ = TRY(ListVlans(outside_));
  if (const auto found = vlans_->find(outer.index); found != vlans_->end()) {
    port.vlans = found->second;
  }
  for (const auto& [index, address] : TRY(ListAddresses(outside_, bridge.index))) {
    if (IsLinkLocal(address)) continue;
    port.bridge_addresses.push_back(fmt::format("{}/{}", address.local, address.prefix_length));
  }
  return port;
}

Result<void> Describer::TakeMacvlan(const Link& link, Interface& interface) {
  interface.mode = link.macvlan_mode;
  const int ours = link.peer_namespace.value_or(-1);
  const auto parent = FindLink(outside_, link.peer);
  if (!parent.ok() && parent.error().code != Code::kNotFound) return parent.error();
  UniqueFd host(::open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC));
  if (!host.valid()) return Error::Errno("open crd's network namespace");
  if (!parent.ok() || ours < 0 || ours != TRY(NamespaceId(inside_, host.ref()))) {
    CannotBeMade("the parent of '{}' is not in crd's network namespace", link.name);
    return {};
  }
  interface.parent = parent->name;
  return {};
}

Result<void> Describer::TakeAddresses() {
  for (auto& [index, address] : TRY(ListAddresses(inside_))) {
    const auto owner = std::find_if(
        description_.interfaces.begin(), description_.interfaces.end(),
        [wanted = index](const Interface& interface) { return interface.index == wanted; });
    if (owner == description_.interfaces.end()) continue;
    if (address.label == owner->name) address.label.clear();
    owner->addresses.push_back(std::move(address));
  }
  return {};
}

Result<void> Describer::TakeFirewall() {
  for (const std::string& table : TRY(ListForeignTables(netns_))) {
    CannotBeMade("it has the nftables table {}", table);
  }
  return RunInNetns(netns_, [&]() -> Result<void> {
    for (const char* list : {"ip_tables_names", "ip6_tables_names"}) {
      const auto names = ReadFile(fmt::format("/proc/thread-self/net/{}", list));
      if (names.ok() && !names->empty()) {
        CannotBeMade("it has tables of iptables ({})", names->substr(0, names->find('\n')));
      }
    }
    return {};
  });
}

Result<void> Describer::TakeSysctls() {
  std::vector<std::string> interfaces;
  for (const Interface& interface : description_.interfaces) interfaces.push_back(interface.name);
  const Sysctls now = TRY(ReadSysctls(netns_, interfaces));
  description_.sysctls = DifferingSysctls(now, TRY(ReadNewNamespaceSysctls()));
  return {};
}

}  // namespace

bool Interface::up() const { return (flags & IFF_UP) != 0; }

Result<Description> Describe(FdRef netns) {
  Netlink inside = TRY(Netlink::Open(netns));
  Netlink outside = TRY(Netlink::Open());
  return Describer(netns, std::move(inside), std::move(outside)).Run();
}

}  // namespace crd::net
