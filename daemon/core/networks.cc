#include "daemon/core/networks.h"

#include <algorithm>

#include "daemon/base/log.h"
#include "daemon/core/errors.h"
#include "daemon/core/network_errors.h"
#include "daemon/core/subnets.h"
#include "net/bridge.h"
#include "net/refusals.h"

namespace crd {
namespace {

// More than anybody wants to read.
constexpr std::size_t kNamedUsers = 5;

std::vector<std::string> GatewayAddresses(const NetworkRecord& record) {
  std::vector<std::string> addresses;
  for (const Subnet& subnet : record.subnets)
    addresses.push_back(WithLength(subnet, subnet.gateway));
  return addresses;
}

std::vector<std::string> PrefixesOf(const std::vector<Subnet>& subnets) {
  std::vector<std::string> prefixes;
  for (const Subnet& subnet : subnets) prefixes.push_back(subnet.prefix);
  return prefixes;
}

}  // namespace

Result<NetworkRecord> Networks::Create(const NetworkRequest& request) {
  if (!IsValidName(request.name)) return errors::InvalidName("network", request.name);
  NetworkRecord record{
      .name = request.name,
      .bridge = request.bridge,
      .subnets = TRY(ParseSubnets(request.name, request.subnets, request.gateways)),
      .created_us = clock_.Wall()};
  const std::lock_guard lock(mutex_);
  for (const NetworkRecord& other : TRY(List())) {
    if (other.name == record.name) return errors::NetworkExists(record.name);
    if (other.bridge == record.bridge)
      return errors::BridgeOfAnotherNetwork(record.bridge, other.name);
    for (const Subnet& subnet : record.subnets) {
      for (const Subnet& theirs : other.subnets) {
        if (Overlap(subnet, theirs))
          return errors::SubnetsOverlap(subnet.prefix, theirs.prefix, other.name);
      }
    }
  }
  TRY(TakeBridge(request, record));
  auto written = inventory_.Write(inventory_.NewUpdate().Put(record));
  if (!written.ok()) {
    if (record.origin == NetworkOrigin::kMade) static_cast<void>(net::RemoveBridge(record.bridge));
    return std::move(written).error();
  }
  return record;
}

Result<void> Networks::TakeBridge(const NetworkRequest& request, NetworkRecord& record) {
  const auto bridge = TRY(net::FindBridge(record.bridge));
  if (!bridge.has_value()) {
    if (record.subnets.empty()) return errors::SubnetsNeeded(record.bridge);
    for (Subnet& subnet : record.subnets) {
      if (subnet.gateway.empty()) subnet.gateway = FirstFree(subnet, {});
    }
    record.origin = NetworkOrigin::kMade;
    return net::MakeBridge(record.bridge, GatewayAddresses(record));
  }
  record.origin = NetworkOrigin::kTaken;
  const std::vector<Subnet> own = TRY(SubnetsOf(bridge->addresses));
  if (record.subnets.empty()) {
    if (own.empty()) return errors::SubnetsNeeded(record.bridge);
    record.subnets = TRY(ParseSubnets(request.name, PrefixesOf(own), request.gateways));
  }
  for (Subnet& subnet : record.subnets) {
    const auto same = std::find_if(
        own.begin(), own.end(), [&](const Subnet& other) { return other.prefix == subnet.prefix; });
    if (same != own.end()) {
      if (subnet.gateway.empty()) subnet.gateway = same->gateway;
    } else if (!own.empty()) {
      return net::refusal::BridgeOfAnotherSubnet(record.bridge, subnet.prefix, bridge->addresses);
    }
  }
  return {};
}

Result<void> Networks::RefuseUsed(const NetworkRecord& record) {
  std::vector<std::string> users;
  std::string token;
  do {
    const auto page = TRY(inventory_.ListReservations(
        token, 0, {ReservationState::kActive, ReservationState::kHeld}));
    for (const ReservationRecord& reservation : page.records) {
      if (reservation.network != record.name || users.size() == kNamedUsers) continue;
      users.push_back(fmt::format("reservation {} of {}", reservation.id, HolderOf(reservation)));
    }
    token = page.next_token;
  } while (!token.empty());
  if (!users.empty()) return errors::NetworkInUse(record.name, users);
  if (record.origin != NetworkOrigin::kMade) return {};
  const auto bridge = TRY(net::FindBridge(record.bridge));
  if (!bridge.has_value() || bridge->ports.empty()) return {};
  for (const std::string& port : bridge->ports)
    users.push_back(fmt::format("interface '{}' is plugged into its bridge", port));
  return errors::NetworkInUse(record.name, users);
}

Result<void> Networks::Remove(const std::string& name) {
  const std::lock_guard lock(mutex_);
  const NetworkRecord record = TRY(Find(name));
  TRY(RefuseUsed(record));
  // First the bridge: a crd that dies in between still knows that it is its own.
  if (record.origin == NetworkOrigin::kMade) TRY(net::RemoveBridge(record.bridge));
  return inventory_.Write(inventory_.NewUpdate().DeleteNetwork(name));
}

Result<NetworkRecord> Networks::Recognise(const net::BridgePort& port, Update& update) {
  std::vector<NetworkRecord> known = TRY(List());
  for (const auto& row : update.change().networks) known.push_back(TRY(FromRow(row)));
  const std::vector<Subnet> subnets = TRY(SubnetsOf(port.bridge_addresses));
  for (NetworkRecord& record : known) {
    if (record.bridge != port.bridge) continue;
    // Nobody told crd what they are to be: they are what the bridge has.
    if (record.origin == NetworkOrigin::kFound && record.subnets != subnets) {
      record.subnets = subnets;
      update.Put(record);
    }
    return std::move(record);
  }
  NetworkRecord found{.name = port.bridge,
                      .bridge = port.bridge,
                      .subnets = subnets,
                      .origin = NetworkOrigin::kFound,
                      .created_us = clock_.Wall()};
  const auto taken = [&](const std::string& name) {
    return !IsValidName(name) ||
           std::any_of(known.begin(), known.end(),
                       [&](const NetworkRecord& other) { return other.name == name; });
  };
  for (int number = 1; taken(found.name); ++number) found.name = fmt::format("bridge{}", number);
  update.Put(found);
  return found;
}

void Networks::RemakeBridges(const std::vector<NetworkRecord>& networks) {
  for (const NetworkRecord& record : networks) {
    if (const auto made = net::MakeBridge(record.bridge, GatewayAddresses(record)); !made.ok()) {
      spdlog::warn("network={} make its bridge '{}' again: {}", record.name, record.bridge,
                   made.error().message);
    } else {
      spdlog::info("network={} its bridge '{}' was gone and was made again", record.name,
                   record.bridge);
    }
  }
}

}  // namespace crd
