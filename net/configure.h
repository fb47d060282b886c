#pragma once

#include <string>
#include <vector>

#include "daemon/base/result.h"
#include "net/description.h"
#include "net/interface_name.h"
#include "net/links.h"
#include "net/netlink.h"

namespace crd::net {

// Single orders to the kernel, each of which makes one thing that a description speaks of. Errors
// name it. Only for net/.

// A veth pair: the inner end in the namespace of `inside`, with its index; the outer end in `host`.
// Both down, without addresses.
Result<void> AddVeth(Netlink& inside, const Interface& interface, FdRef host);
// A macvlan in the namespace of `inside`, on a parent that is in that of `host`.
Result<void> AddMacvlan(Netlink& inside, const Interface& interface, FdRef host, int parent);
Result<void> RemoveLink(Netlink& netlink, int index);

struct LinkChange {
  std::uint32_t flags = 0;  // the IFF_* to set…
  std::uint32_t mask = 0;   // …out of these
  std::uint32_t mtu = 0;    // 0: as it is
  std::uint32_t transmit_queue = 0;
  std::string alias;
  int address_generation = -1;  // -1: as it is
  Bytes mac = {};               // empty: as it is
};
Result<void> ChangeLink(Netlink& netlink, int index, const LinkChange& change);
Result<void> PlugIntoBridge(Netlink& host, int index, int bridge, const BridgePort& port);
// Makes the VLANs of a port, which has those of `now`, the wanted ones.
Result<void> SetVlans(Netlink& host, int index, const std::vector<BridgeVlan>& now,
                      const std::vector<BridgeVlan>& wanted);

// Without waiting for duplicate detection. An address that is there is no error.
Result<void> AddAddress(Netlink& netlink, int index, const Address& address);
Result<void> RemoveAddress(Netlink& netlink, int index, const Address& address);
Result<void> AddRoute(Netlink& netlink, const Route& route, int index);
Result<void> AddRule(Netlink& netlink, const Rule& rule);
Result<void> RemoveRule(Netlink& netlink, const Rule& rule);
Result<void> AddNeighbour(Netlink& netlink, const Neighbour& neighbour, int index);

}  // namespace crd::net
