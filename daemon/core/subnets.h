#pragma once

#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/base/result.h"
#include "daemon/core/network_records.h"

namespace crd {

// Addresses and subnets as text. Pure.

// Subnets, each with the gateway that is in it. SUBNET_INVALID, ADDRESS_INVALID; a gateway that is
// in none of them is ADDRESS_OUTSIDE_SUBNET, naming `network`.
Result<std::vector<Subnet>> ParseSubnets(std::string_view network,
                                         const std::vector<std::string>& prefixes,
                                         const std::vector<std::string>& gateways);
// The subnets of an interface with these addresses ("address/length"), which are their gateways.
Result<std::vector<Subnet>> SubnetsOf(const std::vector<std::string>& interface_addresses);

// As inet_ntop(3) writes it; ADDRESS_INVALID.
Result<std::string> CanonicalAddress(const std::string& address);
// In lower case; MAC_INVALID for what no single interface can have.
Result<std::string> CanonicalMac(const std::string& mac);

// Whether one subnet has an address of the other.
bool Overlap(const Subnet& a, const Subnet& b);
// The subnet that an address is in, null if none.
const Subnet* FindSubnet(const std::vector<Subnet>& subnets, const std::string& address);
// Why no endpoint may have an address that is in the subnet; empty if one may.
std::string WhyNotForUse(const Subnet& subnet, const std::string& address);

// Whether an endpoint of the network may have this address, held by somebody or not:
// ADDRESS_OUTSIDE_SUBNET, ADDRESS_NOT_FOR_USE.
Result<void> CheckForUse(const NetworkRecord& network, const std::string& address);

// The first address for an endpoint that is not taken; empty if there is none.
std::string FirstFree(const Subnet& subnet, const std::set<std::string>& taken);

// "10.77.0.5" in 10.77.0.0/24 as "10.77.0.5/24".
std::string WithLength(const Subnet& subnet, const std::string& address);

}  // namespace crd
