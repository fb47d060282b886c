#include "net/links.h"

#include <linux/if.h>
#include <linux/if_arp.h>
#include <linux/if_bridge.h>
#include <linux/if_link.h>
#include <linux/neighbour.h>
#include <linux/net_namespace.h>
#include <sys/socket.h>

namespace crd::net {
namespace {

void ParseKind(const Attributes& info, Link& link) {
  if (std::string kind = info.Text(IFLA_INFO_KIND); !kind.empty()) link.kind = std::move(kind);
  if (link.kind == "macvlan") {
    link.macvlan_mode = info.Nested(IFLA_INFO_DATA).U32(IFLA_MACVLAN_MODE).value_or(0);
  }
  link.master_kind = info.Text(IFLA_INFO_SLAVE_KIND);
  if (link.master_kind == "bridge") {
    const Attributes port = info.Nested(IFLA_INFO_SLAVE_DATA);
    link.hairpin = port.U8(IFLA_BRPORT_MODE).value_or(0) != 0;
    link.isolated = port.U8(IFLA_BRPORT_ISOLATED).value_or(0) != 0;
  }
}

Result<Link> AskFor(Netlink& netlink, Request& request, const std::string& what) {
  return ParseLink(TRY(netlink.Ask(request, what)));
}

}  // namespace

Link ParseLink(const Answer& answer) {
  const auto fixed = answer.Fixed<ifinfomsg>();
  const Attributes attributes(answer, sizeof fixed);
  Link link{.index = fixed.ifi_index,
            .name = attributes.Text(IFLA_IFNAME),
            .kind = fixed.ifi_type == ARPHRD_LOOPBACK ? "loopback" : "",
            .mac = MacText(attributes.Data(IFLA_ADDRESS)),
            .mtu = attributes.U32(IFLA_MTU).value_or(0),
            .flags = fixed.ifi_flags,
            .operational = attributes.U8(IFLA_OPERSTATE).value_or(0) == IF_OPER_UP,
            .transmit_queue = attributes.U32(IFLA_TXQLEN).value_or(0),
            .alias = attributes.Text(IFLA_IFALIAS),
            .queueing = attributes.Text(IFLA_QDISC),
            .peer = static_cast<int>(attributes.U32(IFLA_LINK).value_or(0)),
            .master = static_cast<int>(attributes.U32(IFLA_MASTER).value_or(0)),
            .has_program = attributes.Nested(IFLA_XDP).U8(IFLA_XDP_ATTACHED).value_or(0) != 0};
  if (const auto id = attributes.U32(IFLA_LINK_NETNSID)) {
    link.peer_namespace = static_cast<int>(*id);
  }
  const Attributes inet6 = attributes.Nested(IFLA_AF_SPEC).Nested(AF_INET6);
  if (const auto mode = inet6.U8(IFLA_INET6_ADDR_GEN_MODE)) link.address_generation = *mode;
  ParseKind(attributes.Nested(IFLA_LINKINFO), link);
  return link;
}

Result<std::vector<Link>> ListLinks(Netlink& netlink) {
  const Request request(RTM_GETLINK, 0, ifinfomsg{});
  std::vector<Link> links;
  for (const Answer& answer : TRY(netlink.Dump(request, "list interfaces"))) {
    if (answer.type() == RTM_NEWLINK) links.push_back(ParseLink(answer));
  }
  return links;
}

Result<Link> FindLink(Netlink& netlink, int index) {
  ifinfomsg fixed{};
  fixed.ifi_index = index;
  Request request(RTM_GETLINK, 0, fixed);
  return AskFor(netlink, request, fmt::format("look for interface {}", index));
}

Result<Link> FindLink(Netlink& netlink, const std::string& name) {
  Request request(RTM_GETLINK, 0, ifinfomsg{});
  request.PutText(IFLA_IFNAME, name);
  return AskFor(netlink, request, fmt::format("look for interface '{}'", name));
}

Result<int> NamespaceId(Netlink& netlink, FdRef netns) {
  Request request(RTM_GETNSID, 0, rtgenmsg{});
  request.PutU32(NETNSA_FD, static_cast<std::uint32_t>(netns.get()));
  const Answer answer = TRY(netlink.Ask(request, "look for the number of a network namespace"));
  const Attributes attributes(answer, sizeof(rtgenmsg));
  return static_cast<int>(attributes.U32(NETNSA_NSID).value_or(~0U));
}

Result<int> MakeNamespaceId(Netlink& netlink, FdRef netns) {
  if (const int id = TRY(NamespaceId(netlink, netns)); id >= 0) return id;
  Request request(RTM_NEWNSID, 0, rtgenmsg{});
  request.PutU32(NETNSA_FD, static_cast<std::uint32_t>(netns.get()));
  request.PutU32(NETNSA_NSID, ~0U);  // any
  TRY(netlink.Do(request, "give a network namespace a number"));
  return NamespaceId(netlink, netns);
}

Result<std::multimap<std::string, int>> ListMacs(Netlink& netlink, int bridge) {
  ndmsg fixed{};
  fixed.ndm_family = AF_BRIDGE;
  Request request(RTM_GETNEIGH, 0, fixed);
  request.PutU32(NDA_MASTER, static_cast<std::uint32_t>(bridge));
  std::multimap<std::string, int> macs;
  for (const Answer& answer :
       TRY(netlink.Dump(request, "list the addresses that a bridge knows"))) {
    const Attributes attributes(answer, sizeof fixed);
    macs.emplace(MacText(attributes.Data(NDA_LLADDR)), answer.Fixed<ndmsg>().ndm_ifindex);
  }
  return macs;
}

Result<std::map<int, std::vector<BridgeVlan>>> ListVlans(Netlink& netlink) {
  ifinfomsg fixed{};
  fixed.ifi_family = AF_BRIDGE;
  Request request(RTM_GETLINK, 0, fixed);
  request.PutU32(IFLA_EXT_MASK, RTEXT_FILTER_BRVLAN);
  std::map<int, std::vector<BridgeVlan>> all;
  for (const Answer& answer : TRY(netlink.Dump(request, "list the VLANs of bridges' ports"))) {
    std::vector<BridgeVlan>& vlans = all[answer.Fixed<ifinfomsg>().ifi_index];
    const Attributes spec = Attributes(answer, sizeof fixed).Nested(IFLA_AF_SPEC);
    for (const nlattr* attribute : spec.all()) {
      if ((attribute->nla_type & NLA_TYPE_MASK) != IFLA_BRIDGE_VLAN_INFO) continue;
      bridge_vlan_info info{};
      const Bytes bytes = Attributes::DataOf(attribute);
      std::memcpy(&info, bytes.data(), std::min(bytes.size(), sizeof info));
      vlans.push_back({.id = info.vid,
                       .pvid = (info.flags & BRIDGE_VLAN_INFO_PVID) != 0,
                       .untagged = (info.flags & BRIDGE_VLAN_INFO_UNTAGGED) != 0});
    }
  }
  return all;
}

}  // namespace crd::net
