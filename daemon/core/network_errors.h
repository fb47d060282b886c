#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "daemon/base/error.h"
#include "daemon/core/network_records.h"
#include "store/store.h"

// The catalogue's part for networks and reservations (errors.h); what a host refuses is in
// net/refusals.h.
namespace crd::errors {

Error NetworkNotFound(std::string_view name);
Error NetworkExists(std::string_view name);
Error BridgeOfAnotherNetwork(std::string_view bridge, std::string_view network);
// `users` hold reservations, or are plugged in.
Error NetworkInUse(std::string_view name, const std::vector<std::string>& users);
Error SubnetInvalid(std::string_view subnet, std::string_view why);
Error SubnetsOverlap(std::string_view subnet, std::string_view other, std::string_view network);
Error SubnetsNeeded(std::string_view bridge);

Error AddressInvalid(std::string_view address);
Error MacInvalid(std::string_view mac);
Error AddressOutsideSubnet(std::string_view address, const NetworkRecord& network);
// It is the gateway's, or one that stands for all of the subnet.
Error AddressNotForUse(std::string_view address, std::string_view network, std::string_view what);
Error NoAddressFree(std::string_view network);

// Somebody has it already, who is named.
Error AddressHeld(std::string_view address, const ReservationRecord& by);
Error MacHeld(std::string_view mac, const ReservationRecord& by);
Error HostInterfaceHeld(std::string_view name, const ReservationRecord& by);

// Which of these it is that somebody has.
Error Held(const store::Store::ReservationClaims& claims, const ReservationRecord& by);

Error ReservationNotFound(std::string_view key);
Error ReservationActive(const ReservationRecord& reservation);

}  // namespace crd::errors
