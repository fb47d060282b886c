#include <algorithm>

#include <linux/if_bridge.h>
#include <linux/if_link.h>
#include <linux/veth.h>
#include <net/if.h>
#include <sys/socket.h>

#include "net/configure.h"
#include "net/refusals.h"

namespace crd::net {
namespace {

// Of the main interface of a request, which comes up in the namespace that it is asked in.
void PutIdentity(Request& request, const Interface& interface, const Bytes& mac) {
  request.PutText(IFLA_IFNAME, interface.name);
  request.PutBytes(IFLA_ADDRESS, mac);
  request.PutU32(IFLA_MTU, interface.mtu);
  request.PutU32(IFLA_TXQLEN, interface.transmit_queue);
}

ifinfomsg WithIndex(int index) {
  ifinfomsg fixed{};
  fixed.ifi_index = index;
  return fixed;
}

constexpr int kMake = NLM_F_CREATE | NLM_F_EXCL;

Result<void> ChangeVlan(Netlink& host, int type, int index, const BridgeVlan& vlan) {
  ifinfomsg fixed = WithIndex(index);
  fixed.ifi_family = AF_BRIDGE;
  bridge_vlan_info info{};
  info.vid = static_cast<std::uint16_t>(vlan.id);
  if (vlan.pvid) info.flags |= BRIDGE_VLAN_INFO_PVID;
  if (vlan.untagged) info.flags |= BRIDGE_VLAN_INFO_UNTAGGED;
  Request request(type, 0, fixed);
  request.Nest(IFLA_AF_SPEC,
               [&](Request& spec) { spec.Put(IFLA_BRIDGE_VLAN_INFO, &info, sizeof info); });
  return host.Do(request, fmt::format("change VLAN {} of port {}", vlan.id, index));
}

}  // namespace

Result<void> CheckInterfaceName(const std::string& name) {
  const bool bad = name.empty() || name.size() >= IFNAMSIZ || name == "." || name == ".." ||
                   std::any_of(name.begin(), name.end(), [](unsigned char c) {
                     return c == '/' || c == ':' || c <= ' ' || c == 0x7f;
                   });
  if (bad) return refusal::InterfaceNameInvalid(name);
  return {};
}

Result<void> AddVeth(Netlink& inside, const Interface& interface, FdRef host) {
  const HostEnd& outer = *interface.host_end;
  const Bytes mac = TRY(ParseMac(interface.mac));
  const Bytes outer_mac = TRY(ParseMac(outer.mac));
  // Only the main interface of the request gets the index that it is to have.
  Request request(RTM_NEWLINK, kMake, WithIndex(interface.index));
  PutIdentity(request, interface, mac);
  request.Nest(IFLA_LINKINFO, [&](Request& info) {
    info.PutText(IFLA_INFO_KIND, "veth");
    info.Nest(IFLA_INFO_DATA, [&](Request& data) {
      data.Nest(VETH_INFO_PEER, [&](Request& peer) {
        const ifinfomsg fixed{};
        peer.Append(&fixed, sizeof fixed);
        peer.PutText(IFLA_IFNAME, outer.name);
        peer.PutBytes(IFLA_ADDRESS, outer_mac);
        peer.PutU32(IFLA_MTU, outer.mtu);
        peer.PutU32(IFLA_NET_NS_FD, static_cast<std::uint32_t>(host.get()));
      });
    });
  });
  return inside.Do(request, fmt::format("make the veth pair of '{}' inside and '{}' on the host",
                                        interface.name, outer.name));
}

Result<void> AddMacvlan(Netlink& inside, const Interface& interface, FdRef host, int parent) {
  const Bytes mac = TRY(ParseMac(interface.mac));
  const int host_id = TRY(MakeNamespaceId(inside, host));
  Request request(RTM_NEWLINK, kMake, WithIndex(interface.index));
  PutIdentity(request, interface, mac);
  request.PutU32(IFLA_LINK, static_cast<std::uint32_t>(parent));
  request.PutU32(IFLA_LINK_NETNSID, static_cast<std::uint32_t>(host_id));
  request.Nest(IFLA_LINKINFO, [&](Request& info) {
    info.PutText(IFLA_INFO_KIND, "macvlan");
    info.Nest(IFLA_INFO_DATA,
              [&](Request& data) { data.PutU32(IFLA_MACVLAN_MODE, interface.mode); });
  });
  return inside.Do(request,
                   fmt::format("make the macvlan '{}' on '{}'", interface.name, interface.parent));
}

Result<void> RemoveLink(Netlink& netlink, int index) {
  const Request request(RTM_DELLINK, 0, WithIndex(index));
  return netlink.Do(request, fmt::format("remove interface {}", index));
}

Result<void> ChangeLink(Netlink& netlink, int index, const LinkChange& change) {
  ifinfomsg fixed = WithIndex(index);
  fixed.ifi_flags = change.flags;
  fixed.ifi_change = change.mask;
  Request request(RTM_NEWLINK, 0, fixed);
  if (change.mtu != 0) request.PutU32(IFLA_MTU, change.mtu);
  if (change.transmit_queue != 0) request.PutU32(IFLA_TXQLEN, change.transmit_queue);
  if (!change.alias.empty()) {
    request.Put(IFLA_IFALIAS, change.alias.data(), change.alias.size());
  }
  if (!change.mac.empty()) request.PutBytes(IFLA_ADDRESS, change.mac);
  if (change.address_generation >= 0) {
    request.Nest(IFLA_AF_SPEC, [&](Request& spec) {
      spec.Nest(AF_INET6, [&](Request& inet6) {
        inet6.PutU8(IFLA_INET6_ADDR_GEN_MODE, static_cast<std::uint8_t>(change.address_generation));
      });
    });
  }
  return netlink.Do(request, fmt::format("configure interface {}", index));
}

Result<void> PlugIntoBridge(Netlink& host, int index, int bridge, const BridgePort& port) {
  Request plug(RTM_NEWLINK, 0, WithIndex(index));
  plug.PutU32(IFLA_MASTER, static_cast<std::uint32_t>(bridge));
  TRY(host.Do(plug, fmt::format("plug interface {} into bridge '{}'", index, port.bridge)));
  if (!port.hairpin && !port.isolated) return {};
  Request options(RTM_NEWLINK, 0, WithIndex(index));
  options.Nest(IFLA_LINKINFO, [&](Request& info) {
    info.PutText(IFLA_INFO_SLAVE_KIND, "bridge");
    info.Nest(IFLA_INFO_SLAVE_DATA, [&](Request& data) {
      data.PutU8(IFLA_BRPORT_MODE, port.hairpin ? 1 : 0);
      data.PutU8(IFLA_BRPORT_ISOLATED, port.isolated ? 1 : 0);
    });
  });
  return host.Do(options, fmt::format("configure port {} of bridge '{}'", index, port.bridge));
}

Result<void> SetVlans(Netlink& host, int index, const std::vector<BridgeVlan>& now,
                      const std::vector<BridgeVlan>& wanted) {
  const auto has = [](const std::vector<BridgeVlan>& vlans, const BridgeVlan& vlan) {
    return std::find(vlans.begin(), vlans.end(), vlan) != vlans.end();
  };
  for (const BridgeVlan& vlan : now) {
    if (!has(wanted, vlan)) TRY(ChangeVlan(host, RTM_DELLINK, index, vlan));
  }
  for (const BridgeVlan& vlan : wanted) {
    if (!has(now, vlan)) TRY(ChangeVlan(host, RTM_SETLINK, index, vlan));
  }
  return {};
}

}  // namespace crd::net
