#include <algorithm>
#include <set>

#include "daemon/core/network_errors.h"
#include "daemon/core/reservations.h"
#include "net/ip_text.h"

namespace crd {
namespace {

// The line of a container is as long as it was checkpointed and restored; this is no circle.
constexpr int kMaxLine = 1000;

bool IsLinkLocal(const std::string& address) {
  const auto bytes = net::ParseAddress(address);
  const auto link_local = net::ParsePrefix("fe80::/10");
  return bytes.ok() && net::Contains(*link_local, *bytes);
}

bool IsByHand(const ReservationRecord& record) {
  return record.checkpoint_id.empty() && record.container_id.empty();
}

bool IsIn(const Update& update, const ReservationRecord& record) {
  const auto& rows = update.change().reservations;
  return std::any_of(rows.begin(), rows.end(),
                     [&](const auto& row) { return row.id == record.id.str(); });
}

Result<void> Become(ReservationRecord& record, ReservationState state) {
  return record.state == state ? Result<void>() : SetState(record.state, state);
}

}  // namespace

struct Reservations::Endpoint {
  std::string interface;
  std::optional<net::BridgePort> port;  // where it has none, the host routes to it
  Claims claims;
};

std::vector<Reservations::Endpoint> Reservations::EndpointsOf(const net::Description& description) {
  std::vector<Endpoint> endpoints;
  // Interfaces of one tree may share what belongs to the tree.
  std::set<std::pair<std::string, std::string>> seen;
  for (const net::Interface& interface : description.interfaces) {
    if (!interface.host_end.has_value()) continue;
    Endpoint endpoint{.interface = interface.name, .port = interface.host_end->port};
    const std::string network = endpoint.port ? endpoint.port->bridge : "";
    endpoint.claims.host_interface = interface.host_end->name;
    if (seen.emplace(network, interface.mac).second) endpoint.claims.mac = interface.mac;
    for (const net::Address& address : interface.addresses) {
      if (IsLinkLocal(address.local) || !seen.emplace(network, address.local).second) continue;
      endpoint.claims.addresses.push_back(address.local);
    }
    endpoints.push_back(std::move(endpoint));
  }
  return endpoints;
}

bool Reservations::HasEndpoints(const net::Description& description) {
  return !EndpointsOf(description).empty();
}

Result<NetworkRecord> Reservations::NetworkOf(const Endpoint& endpoint, Update& update) {
  if (!endpoint.port.has_value()) return NetworkRecord{};
  return networks_.Recognise(*endpoint.port, update);
}

Result<ReservationRecord> Reservations::Take(const Endpoint& endpoint, const NetworkRecord& network,
                                             const Owns& owns, Update& update) {
  Claims claims = endpoint.claims;
  claims.network = network.name;
  std::optional<ReservationRecord> own;
  for (ReservationRecord& record : TRY(inventory_.FindClaimed(claims))) {
    if (IsIn(update, record)) continue;
    if (!owns(record, claims)) return errors::Held(claims, record);
    if (!own.has_value()) {
      own = std::move(record);
      continue;
    }
    TRY(SetState(record.state, ReservationState::kReleased));
    update.Put(record);
  }
  if (!own.has_value()) {
    own = ReservationRecord{.id = NewId<ReservationId>(), .created_us = clock_.Wall()};
  }
  own->network = network.name;
  own->interface = endpoint.interface;
  own->host_interface = claims.host_interface;
  own->mac = claims.mac;
  own->addresses = claims.addresses;
  own->problem.clear();
  return *std::move(own);
}

Reservations::Owns Reservations::OwnerAtCheckpoint(const ContainerId& container) {
  return [this, container](const ReservationRecord& record, const Claims& claims) {
    // It runs with what was set aside, for it if for anybody.
    if (IsByHand(record)) return record.mac.empty() || record.mac == claims.mac;
    if (record.state == ReservationState::kActive) return record.container_id == container;
    return Ancestor(record.container_id) == Ancestor(container);
  };
}

ContainerId Reservations::Ancestor(ContainerId container) {
  for (int length = 0; length < kMaxLine; ++length) {
    const auto record = inventory_.FindContainer(container.str());
    if (!record.ok() || record->parent_checkpoint_id.empty()) return container;
    const auto parent = inventory_.FindCheckpoint(record->parent_checkpoint_id.str());
    if (!parent.ok() || parent->container_id.empty()) return container;
    container = parent->container_id;
  }
  return container;
}

Result<void> Reservations::CheckHold(const net::Description& description,
                                     const ContainerId& container) {
  Update nowhere = inventory_.NewUpdate();
  for (const Endpoint& endpoint : EndpointsOf(description)) {
    const NetworkRecord network = TRY(NetworkOf(endpoint, nowhere));
    TRY(Take(endpoint, network, OwnerAtCheckpoint(container), nowhere));
  }
  return {};
}

Result<void> Reservations::Hold(const net::Description& description, const EndpointHold& hold,
                                Update& update) {
  const ContainerId& container = hold.checkpoint.container_id;
  for (const Endpoint& endpoint : EndpointsOf(description)) {
    const NetworkRecord network = TRY(NetworkOf(endpoint, update));
    ReservationRecord record = TRY(Take(endpoint, network, OwnerAtCheckpoint(container), update));
    TRY(Become(record, hold.runs_on ? ReservationState::kActive : ReservationState::kHeld));
    record.checkpoint_id = hold.checkpoint.id;
    record.container_id = container;
    record.keeping = hold.runs_on ? Keeping::kRelease : hold.keeping;
    record.expires_us = hold.reserve_for.count() > 0 ? clock_.Wall() + hold.reserve_for.count() : 0;
    update.Put(record);
  }
  return {};
}

Result<void> Reservations::Claim(const net::Description& description,
                                 const CheckpointRecord& checkpoint, const ContainerId& container,
                                 Update& update) {
  std::set<CheckpointId> kept_elsewhere;
  const Owns owns = [&](const ReservationRecord& record, const Claims& /*claims*/) {
    if (record.state != ReservationState::kHeld || IsByHand(record)) return false;
    return record.checkpoint_id == checkpoint.id ||
           Ancestor(record.container_id) == Ancestor(checkpoint.container_id);
  };
  for (const Endpoint& endpoint : EndpointsOf(description)) {
    const NetworkRecord network = TRY(NetworkOf(endpoint, update));
    ReservationRecord record = TRY(Take(endpoint, network, owns, update));
    if (record.keeping == Keeping::kHold && record.checkpoint_id != checkpoint.id)
      kept_elsewhere.insert(record.checkpoint_id);
    TRY(Become(record, ReservationState::kActive));
    record.keeping = Keeping::kRelease;
    record.checkpoint_id = checkpoint.id;
    record.container_id = container;
    record.expires_us = 0;  // that was for the time until now
    update.Put(record);
  }
  for (const CheckpointId& other : kept_elsewhere) TRY(LoseNamespace(other));
  return {};
}

Result<void> Reservations::GiveBack(const ContainerId& container, Update& update) {
  return GiveBackEndpoints(
      inventory_, container, [this](const CheckpointId& id) { return pins_.IsPinned(id); }, update);
}

Result<void> Reservations::ReleaseOf(const CheckpointId& checkpoint, Update& update) {
  for (ReservationRecord& record : TRY(inventory_.ListReservationsOf(checkpoint))) {
    if (record.state == ReservationState::kReleased) continue;
    if (record.state == ReservationState::kHeld) {
      TRY(SetState(record.state, ReservationState::kReleased));
    } else {
      record.checkpoint_id = {};
    }
    record.keeping = Keeping::kRelease;
    update.Put(record);
  }
  return {};
}

Result<void> GiveBackEndpoints(Inventory& inventory, const ContainerId& container,
                               const std::function<bool(const CheckpointId&)>& pinned,
                               Update& update) {
  for (ReservationRecord& record : TRY(inventory.ListReservationsOf(container))) {
    if (record.state != ReservationState::kActive) continue;
    const bool kept =
        !record.checkpoint_id.empty() && inventory.FindCheckpoint(record.checkpoint_id.str()).ok();
    TRY(SetState(record.state, kept ? ReservationState::kHeld : ReservationState::kReleased));
    record.keeping = kept && pinned(record.checkpoint_id) ? Keeping::kHold : Keeping::kRelease;
    update.Put(record);
  }
  return {};
}

}  // namespace crd
