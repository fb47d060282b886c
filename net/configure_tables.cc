#include <linux/fib_rules.h>
#include <linux/if_addr.h>
#include <linux/neighbour.h>
#include <sys/socket.h>

#include "net/configure.h"

namespace crd::net {
namespace {

constexpr int kMake = NLM_F_CREATE | NLM_F_EXCL;
// What may be asked for; the rest is for the kernel to say.
constexpr std::uint32_t kAddressFlags =
    IFA_F_NODAD | IFA_F_HOMEADDRESS | IFA_F_MANAGETEMPADDR | IFA_F_NOPREFIXROUTE | IFA_F_MCAUTOJOIN;

ifaddrmsg FixedOf(int index, const Address& address) {
  ifaddrmsg fixed{};
  fixed.ifa_family = static_cast<std::uint8_t>(FamilyOf(address.local));
  fixed.ifa_prefixlen = static_cast<std::uint8_t>(address.prefix_length);
  fixed.ifa_scope = static_cast<std::uint8_t>(address.scope);
  fixed.ifa_index = static_cast<std::uint32_t>(index);
  return fixed;
}

Result<Request> RuleRequest(int type, int flags, const Rule& rule) {
  fib_rule_hdr fixed{};
  fixed.family = static_cast<std::uint8_t>(rule.family);
  fixed.action = static_cast<std::uint8_t>(rule.action);
  fixed.tos = static_cast<std::uint8_t>(rule.tos);
  fixed.flags = rule.flags;
  Prefix source;
  Prefix destination;
  if (!rule.source.empty()) source = TRY(ParsePrefix(rule.source));
  if (!rule.destination.empty()) destination = TRY(ParsePrefix(rule.destination));
  fixed.src_len = static_cast<std::uint8_t>(source.length);
  fixed.dst_len = static_cast<std::uint8_t>(destination.length);
  Request request(type, flags, fixed);
  request.PutU32(FRA_PRIORITY, rule.priority);
  request.PutU32(FRA_TABLE, rule.table);
  if (!rule.source.empty()) request.PutBytes(FRA_SRC, source.address);
  if (!rule.destination.empty()) request.PutBytes(FRA_DST, destination.address);
  if (!rule.in_interface.empty()) request.PutText(FRA_IIFNAME, rule.in_interface);
  if (!rule.out_interface.empty()) request.PutText(FRA_OIFNAME, rule.out_interface);
  if (rule.mark != 0 || rule.mask != 0) {
    request.PutU32(FRA_FWMARK, rule.mark);
    request.PutU32(FRA_FWMASK, rule.mask);
  }
  if (rule.suppress_prefix_length != kForever) {
    request.PutU32(FRA_SUPPRESS_PREFIXLEN, rule.suppress_prefix_length);
  }
  request.PutU8(FRA_PROTOCOL, static_cast<std::uint8_t>(rule.protocol));
  return request;
}

Result<void> PutGateway(Request& request, const Route& route) {
  const Bytes gateway = TRY(ParseAddress(route.gateway));
  const int family = FamilyOf(route.gateway);
  if (family == FamilyOf(route.destination)) {
    request.PutBytes(RTA_GATEWAY, gateway);
    return {};
  }
  // struct rtvia: the family, then the address.
  const auto number = static_cast<std::uint16_t>(family);
  Bytes via(sizeof number);
  std::memcpy(via.data(), &number, sizeof number);
  via.insert(via.end(), gateway.begin(), gateway.end());
  request.PutBytes(RTA_VIA, via);
  return {};
}

}  // namespace

Result<void> AddAddress(Netlink& netlink, int index, const Address& address) {
  const Bytes local = TRY(ParseAddress(address.local));
  Request request(RTM_NEWADDR, NLM_F_CREATE | NLM_F_REPLACE, FixedOf(index, address));
  request.PutBytes(IFA_LOCAL, local);
  request.PutBytes(IFA_ADDRESS, address.peer.empty() ? local : TRY(ParseAddress(address.peer)));
  if (!address.broadcast.empty()) {
    request.PutBytes(IFA_BROADCAST, TRY(ParseAddress(address.broadcast)));
  }
  if (!address.label.empty()) request.PutText(IFA_LABEL, address.label);
  // Whether somebody else has it is asked before, on the network: in here nobody can answer.
  request.PutU32(IFA_FLAGS, (address.flags | IFA_F_NODAD) & kAddressFlags);
  if (address.route_priority != 0) request.PutU32(IFA_RT_PRIORITY, address.route_priority);
  if (address.valid_s != kForever || address.preferred_s != kForever) {
    ifa_cacheinfo times{};
    times.ifa_prefered = address.preferred_s;
    times.ifa_valid = address.valid_s;
    request.Put(IFA_CACHEINFO, &times, sizeof times);
  }
  return netlink.Do(request, fmt::format("give interface {} the address {}/{}", index,
                                         address.local, address.prefix_length));
}

Result<void> RemoveAddress(Netlink& netlink, int index, const Address& address) {
  Request request(RTM_DELADDR, 0, FixedOf(index, address));
  request.PutBytes(IFA_LOCAL, TRY(ParseAddress(address.local)));
  return netlink.Do(request,
                    fmt::format("take the address {} from interface {}", address.local, index));
}

Result<void> AddRoute(Netlink& netlink, const Route& route, int index) {
  const std::string what =
      fmt::format("add the route to {} in table {}", route.destination, route.table);
  const Prefix destination = TRY(ParsePrefix(route.destination));
  rtmsg fixed{};
  fixed.rtm_family = static_cast<unsigned char>(FamilyOf(route.destination));
  fixed.rtm_dst_len = static_cast<unsigned char>(destination.length);
  fixed.rtm_tos = static_cast<unsigned char>(route.tos);
  fixed.rtm_protocol = static_cast<unsigned char>(route.protocol);
  fixed.rtm_scope = static_cast<unsigned char>(route.scope);
  fixed.rtm_type = static_cast<unsigned char>(route.type);
  fixed.rtm_flags = route.flags;
  Prefix source;
  if (!route.source.empty()) source = TRY(ParsePrefix(route.source));
  fixed.rtm_src_len = static_cast<unsigned char>(source.length);
  // Routes that differ in what a key does not hold may stand side by side: no NLM_F_EXCL.
  Request request(RTM_NEWROUTE, NLM_F_CREATE | NLM_F_APPEND, fixed);
  request.PutU32(RTA_TABLE, route.table);
  request.PutBytes(RTA_DST, destination.address);
  if (!route.source.empty()) request.PutBytes(RTA_SRC, source.address);
  if (index != 0) request.PutU32(RTA_OIF, static_cast<std::uint32_t>(index));
  if (!route.gateway.empty()) TRY(PutGateway(request, route));
  if (!route.preferred_source.empty()) {
    request.PutBytes(RTA_PREFSRC, TRY(ParseAddress(route.preferred_source)));
  }
  if (route.priority != 0) request.PutU32(RTA_PRIORITY, route.priority);
  if (route.expires_s != 0) request.PutU32(RTA_EXPIRES, route.expires_s);
  if (route.preference != 0) request.PutU8(RTA_PREF, static_cast<std::uint8_t>(route.preference));
  if (!route.metrics.empty()) {
    request.Nest(RTA_METRICS, [&](Request& metrics) {
      for (const auto& [metric, value] : route.metrics) metrics.PutU32(metric, value);
    });
  }
  return netlink.Do(request, what);
}

Result<void> AddRule(Netlink& netlink, const Rule& rule) {
  const Request request = TRY(RuleRequest(RTM_NEWRULE, kMake, rule));
  return netlink.Do(request, fmt::format("add the routing rule of priority {}", rule.priority));
}

Result<void> RemoveRule(Netlink& netlink, const Rule& rule) {
  const Request request = TRY(RuleRequest(RTM_DELRULE, 0, rule));
  return netlink.Do(request, fmt::format("remove the routing rule of priority {}", rule.priority));
}

Result<void> AddNeighbour(Netlink& netlink, const Neighbour& neighbour, int index) {
  ndmsg fixed{};
  fixed.ndm_family = static_cast<std::uint8_t>(FamilyOf(neighbour.address));
  fixed.ndm_ifindex = index;
  fixed.ndm_state = NUD_PERMANENT;
  fixed.ndm_flags = static_cast<std::uint8_t>(neighbour.flags);
  Request request(RTM_NEWNEIGH, NLM_F_CREATE | NLM_F_REPLACE, fixed);
  request.PutBytes(NDA_DST, TRY(ParseAddress(neighbour.address)));
  request.PutBytes(NDA_LLADDR, TRY(ParseMac(neighbour.mac)));
  return netlink.Do(request, fmt::format("add the neighbour {}", neighbour.address));
}

}  // namespace crd::net
