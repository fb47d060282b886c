#include "daemon/core/reconcile_networks.h"

#include <utility>

#include "daemon/base/log.h"
#include "net/bridge.h"

namespace crd {
namespace {

Result<RecordedNetworks> ReadRecorded(Inventory& inventory) {
  RecordedNetworks recorded{.networks = TRY(inventory.ListNetworks())};
  std::string token;
  do {
    auto page = TRY(
        inventory.ListReservations(token, 0, {ReservationState::kActive, ReservationState::kHeld}));
    for (ReservationRecord& record : page.records)
      recorded.reservations.push_back(std::move(record));
    token = page.next_token;
  } while (!token.empty());
  return recorded;
}

ObservedNetworks Observe(const EngineParts& parts, const RecordedNetworks& recorded) {
  ObservedNetworks observed;
  const auto look_at = [&](const CheckpointId& id) {
    const auto checkpoint = parts.inventory.FindCheckpoint(id.str());
    if (checkpoint.ok() && (checkpoint->state == CheckpointState::kReady ||
                            checkpoint->state == CheckpointState::kDamaged))
      observed.checkpoints.insert(id);
  };
  for (const ReservationRecord& record : recorded.reservations) {
    if (!record.checkpoint_id.empty()) look_at(record.checkpoint_id);
    const auto container = parts.inventory.FindContainer(record.container_id.str());
    if (container.ok() && IsLive(container->state)) observed.running.insert(container->id);
  }
  for (const CheckpointId& id : parts.pins.List()) {
    observed.pins.insert(id);
    if (parts.pins.IsPinned(id)) observed.pinned.insert(id);
  }
  for (const NetworkRecord& network : recorded.networks) {
    const auto bridge = net::FindBridge(network.bridge);
    // What has its name by now is not crd's to replace.
    if (!bridge.ok() || bridge->has_value()) observed.bridges.insert(network.bridge);
  }
  return observed;
}

// True if it changes.
bool Settle(ReservationRecord& record, const ObservedNetworks& observed, WallMicros now) {
  const bool kept =
      !record.checkpoint_id.empty() && observed.checkpoints.contains(record.checkpoint_id);
  const bool pinned = kept && observed.pinned.contains(record.checkpoint_id);
  bool changed = false;
  if (record.state == ReservationState::kActive) {
    if (observed.running.contains(record.container_id)) return false;
    record.state = kept ? ReservationState::kHeld : ReservationState::kReleased;
    record.keeping = pinned ? Keeping::kHold : Keeping::kRelease;
    changed = true;
  }
  if (record.state == ReservationState::kHeld) {
    const bool expired = record.expires_us != 0 && record.expires_us <= now;
    const bool orphaned = !record.checkpoint_id.empty() && !kept;
    if (expired || orphaned) {
      record.state = ReservationState::kReleased;
      changed = true;
    } else if (record.keeping == Keeping::kHold && !pinned) {
      record.keeping = Keeping::kRelease;
      record.problem = "its network namespace is gone, as after a restart of the host";
      changed = true;
    }
  }
  return changed;
}

}  // namespace

NetworksPlan PlanNetworks(const RecordedNetworks& recorded, const ObservedNetworks& observed,
                          WallMicros now) {
  NetworksPlan plan;
  std::set<CheckpointId> wanted;
  for (ReservationRecord record : recorded.reservations) {
    const bool changed = Settle(record, observed, now);
    if (record.state == ReservationState::kHeld) {
      if (record.keeping == Keeping::kHold) wanted.insert(record.checkpoint_id);
      if (record.expires_us != 0) plan.expiries.push_back(record.expires_us);
    }
    if (changed) plan.reservations.push_back(std::move(record));
  }
  for (const CheckpointId& id : observed.pins) {
    if (!wanted.contains(id) || !observed.pinned.contains(id)) plan.unpin.push_back(id);
  }
  for (const NetworkRecord& network : recorded.networks) {
    if (network.origin == NetworkOrigin::kMade && !observed.bridges.contains(network.bridge))
      plan.remake.push_back(network);
  }
  return plan;
}

Result<void> ReconcileNetworks(const EngineParts& parts) {
  const RecordedNetworks recorded = TRY(ReadRecorded(parts.inventory));
  const NetworksPlan plan = PlanNetworks(recorded, Observe(parts, recorded), parts.clock.Wall());
  Update update = parts.inventory.NewUpdate();
  for (const ReservationRecord& record : plan.reservations) update.Put(record);
  if (!plan.reservations.empty()) TRY(parts.inventory.Write(update));
  // After the record: a crd that dies in between finds a namespace that nobody wants.
  for (const CheckpointId& id : plan.unpin) {
    if (const auto unpinned = parts.pins.Unpin(id); !unpinned.ok())
      spdlog::warn("checkpoint={} {}, ignoring", id, unpinned.error().message);
  }
  parts.networks.RemakeBridges(plan.remake);
  for (const WallMicros expiry : plan.expiries) parts.reservations.ScheduleExpiry(expiry);
  return {};
}

}  // namespace crd
