#include "daemon/core/network_records.h"

#include "daemon/core/json.h"

namespace crd {
namespace {

template <typename E, std::size_t N>
Result<E> Known(const E (&all)[N], std::string_view subject, std::string_view of,
                std::string_view name) {
  for (const E one : all) {
    if (Name(one) == name) return one;
  }
  return Error{
      .code = Code::kDataLoss,
      .message = fmt::format("{} has the unknown {} '{}' in the inventory", of, subject, name),
      .hint = "use the version of crd that wrote it"};
}

}  // namespace

std::string HolderOf(const ReservationRecord& reservation) {
  if (reservation.state == ReservationState::kActive && !reservation.container_id.empty())
    return fmt::format("container {}", reservation.container_id);
  if (!reservation.checkpoint_id.empty())
    return fmt::format("checkpoint {}", reservation.checkpoint_id);
  if (!reservation.container_id.empty())
    return fmt::format("container {}", reservation.container_id);
  return fmt::format("'{}'", reservation.holder);
}

std::string_view Name(NetworkOrigin origin) {
  switch (origin) {
    case NetworkOrigin::kMade:
      return "made";
    case NetworkOrigin::kTaken:
      return "taken";
    case NetworkOrigin::kFound:
      return "found";
  }
  return "unknown";
}

std::string_view Name(Keeping keeping) { return keeping == Keeping::kHold ? "hold" : "release"; }

store::NetworkRow ToRow(const NetworkRecord& record) {
  nlohmann::json subnets = nlohmann::json::array();
  for (const Subnet& subnet : record.subnets)
    subnets.push_back({{"prefix", subnet.prefix}, {"gateway", subnet.gateway}});
  return {.name = record.name,
          .bridge = record.bridge,
          .subnets = subnets.dump(),
          .origin = std::string(Name(record.origin)),
          .created_us = record.created_us};
}

store::ReservationRow ToRow(const ReservationRecord& record) {
  return {.id = record.id.str(),
          .network = record.network,
          .state = std::string(Name(record.state)),
          .keeping = std::string(Name(record.keeping)),
          .interface = record.interface,
          .host_interface = record.host_interface,
          .mac = record.mac,
          .addresses = record.addresses,
          .holder = record.holder,
          .checkpoint_id = record.checkpoint_id.str(),
          .container_id = record.container_id.str(),
          .created_us = record.created_us,
          .changed_us = record.changed_us,
          .expires_us = record.expires_us,
          .problem = record.problem};
}

Result<NetworkRecord> FromRow(const store::NetworkRow& row) {
  using enum NetworkOrigin;
  static constexpr NetworkOrigin kAll[] = {kMade, kTaken, kFound};
  NetworkRecord record{.name = row.name,
                       .bridge = row.bridge,
                       .origin = TRY(Known(kAll, "origin", "network " + row.name, row.origin)),
                       .created_us = row.created_us};
  const nlohmann::json subnets = TRY(ParseJson(row.subnets, "subnets"));
  for (const auto& subnet : subnets) {
    record.subnets.push_back({.prefix = TRY(Member<std::string>(subnet, "prefix", "")),
                              .gateway = TRY(Member<std::string>(subnet, "gateway", ""))});
  }
  return record;
}

Result<ReservationRecord> FromRow(const store::ReservationRow& row) {
  static constexpr ReservationState kStates[] = {ReservationState::kActive, ReservationState::kHeld,
                                                 ReservationState::kReleased};
  static constexpr Keeping kKeepings[] = {Keeping::kHold, Keeping::kRelease};
  const std::string of = "reservation " + row.id;
  return ReservationRecord{.id = ReservationId(row.id),
                           .network = row.network,
                           .state = TRY(Known(kStates, "state", of, row.state)),
                           .keeping = TRY(Known(kKeepings, "keeping", of, row.keeping)),
                           .interface = row.interface,
                           .host_interface = row.host_interface,
                           .mac = row.mac,
                           .addresses = row.addresses,
                           .holder = row.holder,
                           .checkpoint_id = CheckpointId(row.checkpoint_id),
                           .container_id = ContainerId(row.container_id),
                           .created_us = row.created_us,
                           .changed_us = row.changed_us,
                           .expires_us = row.expires_us,
                           .problem = row.problem};
}

}  // namespace crd
