#include "net/tables.h"

#include <algorithm>
#include <tuple>

#include <linux/fib_rules.h>
#include <linux/if_addr.h>
#include <linux/neighbour.h>
#include <sys/socket.h>
#include <unistd.h>

namespace crd::net {
namespace {

// Flags that say how an address is configured. The others are states of duplicate detection, or
// (IFA_F_NODAD) how that is to be done.
constexpr std::uint32_t kAddressFlags = IFA_F_SECONDARY | IFA_F_HOMEADDRESS | IFA_F_PERMANENT |
                                        IFA_F_MANAGETEMPADDR | IFA_F_NOPREFIXROUTE |
                                        IFA_F_MCAUTOJOIN | IFA_F_STABLE_PRIVACY;
constexpr std::uint32_t kRouteFlags = RTNH_F_ONLINK | RTNH_F_PERVASIVE;

Address ParseIpAddress(const Answer& answer) {
  const auto fixed = answer.Fixed<ifaddrmsg>();
  const Attributes attributes(answer, sizeof fixed);
  Address address{.prefix_length = fixed.ifa_prefixlen,
                  .broadcast = AddressText(attributes.Data(IFA_BROADCAST)),
                  .label = attributes.Text(IFA_LABEL),
                  .scope = fixed.ifa_scope,
                  .flags = attributes.U32(IFA_FLAGS).value_or(fixed.ifa_flags) & kAddressFlags,
                  .route_priority = attributes.U32(IFA_RT_PRIORITY).value_or(0)};
  // IFA_ADDRESS is the other end where the two differ; IPv6 has IFA_LOCAL only then.
  const Bytes other = attributes.Data(IFA_ADDRESS);
  const Bytes local = attributes.Data(IFA_LOCAL);
  address.local = AddressText(local.empty() ? other : local);
  if (!local.empty() && local != other) address.peer = AddressText(other);
  if (const auto times = attributes.Number<ifa_cacheinfo>(IFA_CACHEINFO)) {
    address.preferred_s = times->ifa_prefered;
    address.valid_s = times->ifa_valid;
  }
  return address;
}

std::string PrefixOf(int family, const Attributes& attributes, int type, int length) {
  return PrefixText(family, attributes.Data(type), length);
}

// What there is no member of Route for; empty if there is nothing.
std::string Unsaid(const Attributes& attributes) {
  if (attributes.Has(RTA_MULTIPATH)) return "has several next hops";
  if (attributes.Has(RTA_NH_ID)) return "uses a next-hop object";
  if (attributes.Has(RTA_ENCAP)) return "encapsulates";
  if (attributes.Has(RTA_NEWDST)) return "rewrites destinations";
  return "";
}

Route ParseRoute(const Answer& answer, const InterfaceNames& names) {
  const auto fixed = answer.Fixed<rtmsg>();
  const Attributes attributes(answer, sizeof fixed);
  const int family = fixed.rtm_family;
  Route route{.destination = PrefixOf(family, attributes, RTA_DST, fixed.rtm_dst_len),
              .table = attributes.U32(RTA_TABLE).value_or(fixed.rtm_table),
              .protocol = fixed.rtm_protocol,
              .scope = fixed.rtm_scope,
              .type = fixed.rtm_type,
              .tos = fixed.rtm_tos,
              .flags = fixed.rtm_flags & kRouteFlags,
              .gateway = AddressText(attributes.Data(RTA_GATEWAY)),
              .preferred_source = AddressText(attributes.Data(RTA_PREFSRC)),
              .priority = attributes.U32(RTA_PRIORITY).value_or(0),
              .preference = attributes.U8(RTA_PREF).value_or(0)};
  if (fixed.rtm_src_len != 0) {
    route.source = PrefixOf(family, attributes, RTA_SRC, fixed.rtm_src_len);
  }
  const auto name = names.find(static_cast<int>(attributes.U32(RTA_OIF).value_or(0)));
  if (name != names.end()) route.interface = name->second;
  if (const Bytes via = attributes.Data(RTA_VIA); via.size() > sizeof(std::uint16_t)) {
    route.gateway = AddressText({via.begin() + sizeof(std::uint16_t), via.end()});
  }
  if (const auto times = attributes.Number<rta_cacheinfo>(RTA_CACHEINFO)) {
    const long ticks = ::sysconf(_SC_CLK_TCK);
    if (times->rta_expires > 0) {
      route.expires_s = static_cast<std::uint32_t>(times->rta_expires / ticks);
    }
  }
  const Attributes metrics = attributes.Nested(RTA_METRICS);
  for (const int metric : metrics.types()) {
    if (metric == RTAX_CC_ALGO) continue;  // text; asked for by Unsaid's caller
    route.metrics.emplace_back(metric, metrics.U32(metric).value_or(0));
  }
  return route;
}

bool MadeByKernel(const Answer& answer) {
  const auto fixed = answer.Fixed<rtmsg>();
  return fixed.rtm_protocol == RTPROT_KERNEL || fixed.rtm_protocol == RTPROT_REDIRECT ||
         (fixed.rtm_flags & RTM_F_CLONED) != 0;
}

Rule ParseRule(const Answer& answer) {
  const auto fixed = answer.Fixed<fib_rule_hdr>();
  const Attributes attributes(answer, sizeof fixed);
  Rule rule{.family = fixed.family,
            .priority = attributes.U32(FRA_PRIORITY).value_or(0),
            .action = fixed.action,
            .table = attributes.U32(FRA_TABLE).value_or(fixed.table),
            .in_interface = attributes.Text(FRA_IIFNAME),
            .out_interface = attributes.Text(FRA_OIFNAME),
            .tos = fixed.tos,
            .mark = attributes.U32(FRA_FWMARK).value_or(0),
            .mask = attributes.U32(FRA_FWMASK).value_or(0),
            .flags = fixed.flags & FIB_RULE_INVERT,
            .suppress_prefix_length = attributes.U32(FRA_SUPPRESS_PREFIXLEN).value_or(kForever),
            .protocol = attributes.U8(FRA_PROTOCOL).value_or(0)};
  if (attributes.Has(FRA_SRC)) {
    rule.source = PrefixOf(fixed.family, attributes, FRA_SRC, fixed.src_len);
  }
  if (attributes.Has(FRA_DST)) {
    rule.destination = PrefixOf(fixed.family, attributes, FRA_DST, fixed.dst_len);
  }
  return rule;
}

// Whether every selector of a rule has its member of Rule.
bool IsSaid(const Answer& answer) {
  const Attributes attributes(answer, sizeof(fib_rule_hdr));
  for (const int type : attributes.types()) {
    switch (type) {
      case FRA_UNSPEC:
      case FRA_PRIORITY:
      case FRA_TABLE:
      case FRA_IIFNAME:
      case FRA_OIFNAME:
      case FRA_FWMARK:
      case FRA_FWMASK:
      case FRA_SUPPRESS_PREFIXLEN:
      case FRA_PROTOCOL:
      case FRA_SRC:
      case FRA_DST:
      case FRA_PAD:
        break;
      case FRA_SUPPRESS_IFGROUP:
        if (attributes.U32(type).value_or(kForever) != kForever) return false;
        break;
      default:
        return false;
    }
  }
  return true;
}

}  // namespace

Result<std::vector<std::pair<int, Address>>> ListAddresses(Netlink& netlink, int interface) {
  ifaddrmsg fixed{};
  fixed.ifa_index = static_cast<std::uint32_t>(interface);
  const Request request(RTM_GETADDR, 0, fixed);
  std::vector<std::pair<int, Address>> addresses;
  for (const Answer& answer : TRY(netlink.Dump(request, "list addresses"))) {
    const int index = static_cast<int>(answer.Fixed<ifaddrmsg>().ifa_index);
    const int family = answer.Fixed<ifaddrmsg>().ifa_family;
    if (answer.type() != RTM_NEWADDR || (family != AF_INET && family != AF_INET6)) continue;
    if (interface != 0 && index != interface) continue;
    addresses.emplace_back(index, ParseIpAddress(answer));
  }
  return addresses;
}

Result<std::vector<Route>> ListRoutes(Netlink& netlink, const InterfaceNames& names,
                                      std::vector<std::string>& unreproducible, int interface) {
  std::vector<Route> routes;
  for (const int family : {AF_INET, AF_INET6}) {
    rtmsg fixed{};
    fixed.rtm_family = static_cast<unsigned char>(family);
    Request request(RTM_GETROUTE, 0, fixed);
    if (interface != 0) request.PutU32(RTA_OIF, static_cast<std::uint32_t>(interface));
    for (const Answer& answer : TRY(netlink.Dump(request, "list routes"))) {
      if (answer.type() != RTM_NEWROUTE || MadeByKernel(answer)) continue;
      const Attributes attributes(answer, sizeof fixed);
      if (interface != 0 && static_cast<int>(attributes.U32(RTA_OIF).value_or(0)) != interface) {
        continue;
      }
      Route route = ParseRoute(answer, names);
      std::string unsaid = Unsaid(attributes);
      if (attributes.Nested(RTA_METRICS).Has(RTAX_CC_ALGO)) unsaid = "names a congestion control";
      if (unsaid.empty()) {
        routes.push_back(std::move(route));
      } else {
        unreproducible.push_back(fmt::format("the route to {} {}", route.destination, unsaid));
      }
    }
  }
  // In an order of our own, as the kernel's has no meaning: what gateways are reached by first.
  const auto key = [](const Route& route) {
    return std::tuple(!route.gateway.empty(), route.table, FamilyOf(route.destination),
                      route.destination, route.priority, route.interface, route.gateway, route.tos);
  };
  std::sort(routes.begin(), routes.end(),
            [&](const Route& a, const Route& b) { return key(a) < key(b); });
  return routes;
}

Result<std::vector<Rule>> ListRules(Netlink& netlink, std::vector<std::string>& unreproducible) {
  std::vector<Rule> rules;
  for (const int family : {AF_INET, AF_INET6}) {
    fib_rule_hdr fixed{};
    fixed.family = static_cast<std::uint8_t>(family);
    const Request request(RTM_GETRULE, 0, fixed);
    for (const Answer& answer : TRY(netlink.Dump(request, "list routing rules"))) {
      if (answer.type() != RTM_NEWRULE) continue;
      Rule rule = ParseRule(answer);
      if (IsSaid(answer)) {
        rules.push_back(std::move(rule));
      } else {
        unreproducible.push_back(fmt::format(
            "the routing rule of priority {} selects by more than crd knows", rule.priority));
      }
    }
  }
  return rules;
}

Result<std::vector<Neighbour>> ListNeighbours(Netlink& netlink, const InterfaceNames& names) {
  const Request request(RTM_GETNEIGH, 0, ndmsg{});
  std::vector<Neighbour> neighbours;
  for (const Answer& answer : TRY(netlink.Dump(request, "list neighbours"))) {
    const auto fixed = answer.Fixed<ndmsg>();
    const auto name = names.find(fixed.ndm_ifindex);
    if (answer.type() != RTM_NEWNEIGH || name == names.end()) continue;
    if ((fixed.ndm_state & NUD_PERMANENT) == 0) continue;
    if (fixed.ndm_family != AF_INET && fixed.ndm_family != AF_INET6) continue;
    const Attributes attributes(answer, sizeof fixed);
    neighbours.push_back({.interface = name->second,
                          .address = AddressText(attributes.Data(NDA_DST)),
                          .mac = MacText(attributes.Data(NDA_LLADDR)),
                          .flags = fixed.ndm_flags & static_cast<std::uint32_t>(NTF_ROUTER)});
  }
  return neighbours;
}

bool IsLinkLocal(const Address& address) {
  return address.scope == RT_SCOPE_LINK && FamilyOf(address.local) == AF_INET6;
}

}  // namespace crd::net
