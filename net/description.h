#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace crd::net {

// A network namespace as it is configured, as plain values: what it takes to make another one that
// nobody can tell from it. Addresses are text as inet_ntop(3) writes it, prefixes are
// "address/length", MACs are "aa:bb:cc:dd:ee:ff"; numbers without a unit are the kernel's own
// constants (linux/rtnetlink.h, if_addr.h, fib_rules.h).

inline constexpr std::uint32_t kForever = 0xffffffff;

struct Address {
  std::string local;
  int prefix_length = 0;
  std::string peer;       // of a point-to-point link; else empty
  std::string broadcast;  // IPv4; empty: none
  std::string label;      // IPv4; empty: the interface's name
  int scope = 0;
  // IFA_F_* that say how it is configured. States of duplicate detection are left out.
  std::uint32_t flags = 0;
  std::uint32_t route_priority = 0;
  std::uint32_t preferred_s = kForever;
  std::uint32_t valid_s = kForever;
  bool operator==(const Address&) const = default;
};

// A route that somebody set: those that the kernel makes for addresses come with the addresses.
struct Route {
  std::string destination;  // prefix; "0.0.0.0/0" or "::/0" is the default route
  std::string source;       // prefix; only IPv6, mostly empty
  std::uint32_t table = 0;
  int protocol = 0;
  int scope = 0;
  int type = 0;
  int tos = 0;
  std::uint32_t flags = 0;       // RTNH_F_ONLINK and RTNH_F_PERVASIVE
  std::string gateway;           // an IPv4 route may have an IPv6 gateway
  std::string interface;         // empty: none (blackhole, unreachable, …)
  std::string preferred_source;  // empty: none
  std::uint32_t priority = 0;
  std::uint32_t expires_s = 0;                              // 0: never
  int preference = 0;                                       // of a router (RFC 4191), IPv6
  std::vector<std::pair<int, std::uint32_t>> metrics = {};  // RTAX_*, value
  bool operator==(const Route&) const = default;
};

struct Rule {
  int family = 0;
  std::uint32_t priority = 0;
  int action = 0;
  std::uint32_t table = 0;
  std::string source;       // prefix; empty: any
  std::string destination;  // prefix; empty: any
  std::string in_interface;
  std::string out_interface;
  int tos = 0;
  std::uint32_t mark = 0;
  std::uint32_t mask = 0;
  std::uint32_t flags = 0;                          // FIB_RULE_INVERT
  std::uint32_t suppress_prefix_length = kForever;  // kForever: no suppression
  int protocol = 0;
  bool operator==(const Rule&) const = default;
};

// An entry of the neighbour table that stays (NUD_PERMANENT).
struct Neighbour {
  std::string interface;
  std::string address;
  std::string mac;
  std::uint32_t flags = 0;  // NTF_ROUTER
  bool operator==(const Neighbour&) const = default;
};

struct BridgeVlan {
  int id = 0;
  bool pvid = false;
  bool untagged = false;
  bool operator==(const BridgeVlan&) const = default;
};

struct BridgePort {
  std::string bridge;
  // The bridge's own addresses, as prefixes: which network this is. Not compared as a whole.
  std::vector<std::string> bridge_addresses;
  std::vector<BridgeVlan> vlans;
  bool hairpin = false;
  bool isolated = false;
  bool operator==(const BridgePort&) const = default;
};

// The end of a veth pair that is outside, in the host's namespace.
struct HostEnd {
  std::string name;
  std::string mac;
  std::uint32_t mtu = 0;
  bool up = false;
  std::optional<BridgePort> port;
  // Where it is no port of a bridge, the host routes to it.
  std::vector<Address> addresses;  // without the link-local ones that the kernel makes
  std::vector<Route> routes;
  bool operator==(const HostEnd&) const = default;
};

struct Interface {
  std::string name;
  int index = 0;
  std::string kind;  // "loopback", "veth", "macvlan"; others as the kernel calls them
  std::string mac;
  std::uint32_t mtu = 0;
  std::uint32_t flags = 0;  // IFF_* that can be set: IFF_UP, IFF_NOARP, …
  std::string alias;
  std::uint32_t transmit_queue = 0;  // packets
  int address_generation = -1;  // IN6_ADDR_GEN_MODE_*: how it gets its link-local one; -1: no IPv6
  std::vector<Address> addresses;   // in the order in which the kernel has them
  std::optional<HostEnd> host_end;  // veth
  std::string parent;               // macvlan: interface of the host
  std::uint32_t mode = 0;           // macvlan: MACVLAN_MODE_*
  [[nodiscard]] bool up() const;
  bool operator==(const Interface&) const = default;
};

struct Description {
  std::vector<Interface> interfaces;  // by index
  std::vector<Route> routes;
  std::vector<Rule> rules;
  std::vector<Neighbour> neighbours;
  // Settings under /proc/sys/net that differ from those of a new namespace, by path.
  std::map<std::string, std::string> sysctls;
  // What it has besides, in words: it would be missing from a namespace built from this.
  std::vector<std::string> unreproducible;
  bool operator==(const Description&) const = default;
};

}  // namespace crd::net
