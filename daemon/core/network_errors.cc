#include "daemon/core/network_errors.h"

#include <algorithm>

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace crd::errors {
namespace {

constexpr const char* kRelease =
    "restore or remove what holds it, or give it free with `crctl network release`";

Error Refuse(const char* reason, std::string message, std::string hint) {
  return {.code = Code::kFailedPrecondition,
          .reason = reason,
          .message = std::move(message),
          .hint = std::move(hint)};
}

Error Wrong(const char* reason, std::string message, std::string hint) {
  return {.code = Code::kInvalidArgument,
          .reason = reason,
          .message = std::move(message),
          .hint = std::move(hint)};
}

Error HeldBy(const char* reason, std::string_view what, std::string_view value,
             const ReservationRecord& by) {
  return {.code = Code::kAlreadyExists,
          .reason = reason,
          .message = fmt::format("{} {} in network '{}' is {} by {} (reservation {})", what, value,
                                 by.network, Name(by.state), HolderOf(by), by.id),
          .hint = kRelease};
}

}  // namespace

Error NetworkNotFound(std::string_view name) {
  return {.code = Code::kNotFound,
          .reason = "NETWORK_NOT_FOUND",
          .message = fmt::format("no network is called '{}'", name),
          .hint = "`crctl network ls` shows what there is; `crctl network create` makes one"};
}

Error NetworkExists(std::string_view name) {
  return {.code = Code::kAlreadyExists,
          .reason = "NETWORK_EXISTS",
          .message = fmt::format("there is a network '{}' already", name),
          .hint = "choose another name, or remove it first with `crctl network rm`"};
}

Error BridgeOfAnotherNetwork(std::string_view bridge, std::string_view network) {
  return {.code = Code::kAlreadyExists,
          .reason = "NETWORK_EXISTS",
          .message = fmt::format("bridge '{}' is the network '{}' already", bridge, network),
          .hint = "use that network, or remove it first with `crctl network rm`"};
}

Error NetworkInUse(std::string_view name, const std::vector<std::string>& users) {
  return Refuse("NETWORK_IN_USE",
                fmt::format("network '{}' is in use: {}", name, fmt::join(users, ", ")),
                "end, remove or release those first");
}

Error SubnetInvalid(std::string_view subnet, std::string_view why) {
  return Wrong("SUBNET_INVALID", fmt::format("'{}' cannot be a subnet: {}", subnet, why),
               "give it as ADDRESS/LENGTH, such as 10.77.0.0/24 or fd77::/64");
}

Error SubnetsOverlap(std::string_view subnet, std::string_view other, std::string_view network) {
  return Wrong("SUBNETS_OVERLAP",
               fmt::format("subnet {} overlaps with {} of network '{}'", subnet, other, network),
               "choose one that no other network has");
}

Error SubnetsNeeded(std::string_view bridge) {
  return Wrong("SUBNETS_NEEDED",
               fmt::format("bridge '{}' has no addresses to tell its subnets from", bridge),
               "give them with --subnet");
}

Error AddressInvalid(std::string_view address) {
  return Wrong("ADDRESS_INVALID", fmt::format("'{}' is no IP address", address),
               "give one without a prefix length, such as 10.77.0.5 or fd77::5");
}

Error MacInvalid(std::string_view mac) {
  return Wrong("MAC_INVALID", fmt::format("'{}' is no MAC address of one interface", mac),
               "give six bytes, the first of them even, such as 02:00:00:00:00:05");
}

Error AddressOutsideSubnet(std::string_view address, const NetworkRecord& network) {
  std::vector<std::string> subnets;
  for (const Subnet& subnet : network.subnets) subnets.push_back(subnet.prefix);
  return Wrong("ADDRESS_OUTSIDE_SUBNET",
               fmt::format("address {} is in no subnet of network '{}', which has {}", address,
                           network.name, fmt::join(subnets, ", ")),
               "choose one of those, or another network");
}

Error AddressNotForUse(std::string_view address, std::string_view network, std::string_view what) {
  return Wrong("ADDRESS_NOT_FOR_USE",
               fmt::format("address {} of network '{}' is {}", address, network, what),
               "choose another; `crctl network reserve` finds a free one by itself");
}

Error NoAddressFree(std::string_view network) {
  return {.code = Code::kResourceExhausted,
          .reason = "NO_ADDRESS_FREE",
          .message = fmt::format("network '{}' has no free address", network),
          .hint =
              "`crctl network reservations` shows who has them; remove checkpoints that are "
              "not needed any more"};
}

Error AddressHeld(std::string_view address, const ReservationRecord& by) {
  return HeldBy("ADDRESS_HELD", "address", address, by);
}

Error MacHeld(std::string_view mac, const ReservationRecord& by) {
  return HeldBy("MAC_HELD", "the MAC", mac, by);
}

Error HostInterfaceHeld(std::string_view name, const ReservationRecord& by) {
  return HeldBy("HOST_INTERFACE_HELD", "the host's interface name", name, by);
}

Error Held(const store::Store::ReservationClaims& claims, const ReservationRecord& by) {
  if (by.network == claims.network) {
    for (const std::string& address : claims.addresses) {
      if (std::find(by.addresses.begin(), by.addresses.end(), address) != by.addresses.end())
        return AddressHeld(address, by);
    }
    if (by.mac == claims.mac && !by.mac.empty()) return MacHeld(claims.mac, by);
  }
  return HostInterfaceHeld(claims.host_interface, by);
}

Error ReservationNotFound(std::string_view key) {
  return {.code = Code::kNotFound,
          .reason = "RESERVATION_NOT_FOUND",
          .message = fmt::format("no reservation has the id '{}', and nobody this address", key),
          .hint = "`crctl network reservations --all` shows what there is"};
}

Error ReservationActive(const ReservationRecord& reservation) {
  return Refuse("RESERVATION_ACTIVE",
                fmt::format("reservation {} of network '{}' is active: {} runs with it",
                            reservation.id, reservation.network, HolderOf(reservation)),
                "it is released when that has ended and its checkpoint is removed");
}

}  // namespace crd::errors
