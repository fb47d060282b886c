#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "daemon/base/result.h"
#include "net/description.h"
#include "net/netlink.h"

namespace crd::net {

// The tables of one network namespace as values. Only for net/.

using InterfaceNames = std::map<int, std::string>;

// Of one interface, or of all (`interface` 0), in the kernel's order.
Result<std::vector<std::pair<int, Address>>> ListAddresses(Netlink& netlink, int interface = 0);

// What a description of a namespace cannot say is added to `unreproducible`, in words.
// Routes that the kernel made itself are left out. `interface` 0: all.
Result<std::vector<Route>> ListRoutes(Netlink& netlink, const InterfaceNames& names,
                                      std::vector<std::string>& unreproducible, int interface = 0);
Result<std::vector<Rule>> ListRules(Netlink& netlink, std::vector<std::string>& unreproducible);
Result<std::vector<Neighbour>> ListNeighbours(Netlink& netlink, const InterfaceNames& names);

// Made by the kernel for every interface that is up: fe80::/10 that is no more than local.
bool IsLinkLocal(const Address& address);

}  // namespace crd::net
