#include "client/commands/network_text.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "client/table.h"
#include "client/wall_time.h"

namespace crd::client {
namespace {

std::string OriginName(v1::NetworkOrigin origin) {
  switch (origin) {
    case v1::NETWORK_ORIGIN_MADE:
      return "made";
    case v1::NETWORK_ORIGIN_TAKEN:
      return "taken";
    case v1::NETWORK_ORIGIN_FOUND:
      return "found";
    default:
      return "unknown";
  }
}

std::string StateName(v1::ReservationState state) {
  switch (state) {
    case v1::RESERVATION_STATE_ACTIVE:
      return "active";
    case v1::RESERVATION_STATE_HELD:
      return "held";
    case v1::RESERVATION_STATE_RELEASED:
      return "released";
    default:
      return "unknown";
  }
}

std::string KeepingName(const v1::Reservation& reservation) {
  if (reservation.state() != v1::RESERVATION_STATE_HELD) return "";
  return reservation.keeping() == v1::NETWORK_KEEPING_HOLD ? "hold" : "release";
}

std::string HolderOf(const v1::Reservation& reservation) {
  const bool active = reservation.state() == v1::RESERVATION_STATE_ACTIVE;
  if (active && !reservation.container_id().empty())
    return "container " + reservation.container_id();
  if (!reservation.checkpoint_id().empty()) return "checkpoint " + reservation.checkpoint_id();
  if (!reservation.container_id().empty()) return "container " + reservation.container_id();
  return reservation.holder();
}

}  // namespace

std::string Render(const v1::ListNetworksResponse& list) {
  Table table({{"NAME"}, {"BRIDGE"}, {"SUBNETS"}, {"GATEWAYS"}, {"ORIGIN"}});
  for (const v1::BridgeNetwork& network : list.networks()) {
    std::vector<std::string> subnets;
    std::vector<std::string> gateways;
    for (const v1::Subnet& subnet : network.subnets()) {
      subnets.push_back(subnet.prefix());
      if (!subnet.gateway().empty()) gateways.push_back(subnet.gateway());
    }
    table.Add({network.name(), network.bridge(), fmt::format("{}", fmt::join(subnets, " ")),
               fmt::format("{}", fmt::join(gateways, " ")), OriginName(network.origin())});
  }
  return table.Render();
}

std::string Render(const v1::ListReservationsResponse& list) {
  Table table({{"ID"},
               {"NETWORK"},
               {"STATE"},
               {"BY"},
               {"ADDRESSES"},
               {"MAC"},
               {"INTERFACE"},
               {"HOLDER"},
               {"EXPIRES"}});
  for (const v1::Reservation& reservation : list.reservations()) {
    table.Add({reservation.id(), reservation.network(), StateName(reservation.state()),
               KeepingName(reservation), fmt::format("{}", fmt::join(reservation.addresses(), " ")),
               reservation.mac(), reservation.host_interface(), HolderOf(reservation),
               reservation.expires_us() == 0 ? "" : FormatTime(reservation.expires_us())});
  }
  return table.Render();
}

std::string Summary(const v1::Reservation& reservation) {
  std::string line =
      fmt::format("{} {}", StateName(reservation.state()), fmt::join(reservation.addresses(), " "));
  if (!reservation.network().empty()) line += " in " + reservation.network();
  if (reservation.state() == v1::RESERVATION_STATE_ACTIVE)
    line += " by container " + reservation.container_id();
  if (reservation.state() == v1::RESERVATION_STATE_HELD) {
    line += reservation.keeping() == v1::NETWORK_KEEPING_HOLD ? ", by its network namespace (hold)"
                                                              : ", by the record alone (release)";
  }
  if (reservation.expires_us() != 0) line += ", until " + FormatTime(reservation.expires_us());
  if (!reservation.problem().empty()) line += ": " + reservation.problem();
  return line;
}

}  // namespace crd::client
