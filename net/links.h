#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "daemon/base/result.h"
#include "net/description.h"
#include "net/netlink.h"

namespace crd::net {

// An interface as rtnetlink describes it, indices and all. Only for net/.
struct Link {
  int index = 0;
  std::string name;
  std::string kind;  // "loopback", what IFLA_INFO_KIND says, or empty for hardware
  std::string mac;
  std::uint32_t mtu = 0;
  std::uint32_t flags = 0;
  bool operational = false;  // RFC 2863: it carries packets
  std::uint32_t transmit_queue = 0;
  std::string alias;
  std::string queueing;               // discipline
  int peer = 0;                       // IFLA_LINK: other end of a veth, parent of a macvlan
  std::optional<int> peer_namespace;  // id of the namespace that `peer` is in, if it is another
  int master = 0;
  std::string master_kind;
  bool has_program = false;  // XDP
  bool hairpin = false;
  bool isolated = false;
  int address_generation = -1;  // the kernel has no IPv6
  std::uint32_t macvlan_mode = 0;
};

// Pure.
Link ParseLink(const Answer& answer);

Result<std::vector<Link>> ListLinks(Netlink& netlink);
// kNotFound if there is none.
Result<Link> FindLink(Netlink& netlink, int index);
Result<Link> FindLink(Netlink& netlink, const std::string& name);

// The number by which the namespace of `netlink` knows another one; -1: it has none yet.
Result<int> NamespaceId(Netlink& netlink, FdRef netns);
// The same, and gives it one.
Result<int> MakeNamespaceId(Netlink& netlink, FdRef netns);

// The MACs that a bridge has seen, or that are its ports' own, and behind which port.
Result<std::multimap<std::string, int>> ListMacs(Netlink& netlink, int bridge);

// VLANs of the ports of all bridges. The kernel tells those of one port only together with all.
Result<std::map<int, std::vector<BridgeVlan>>> ListVlans(Netlink& netlink);

}  // namespace crd::net
