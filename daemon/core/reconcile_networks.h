#pragma once

#include <set>
#include <string>
#include <vector>

#include "daemon/core/engine_parts.h"
#include "daemon/core/network_records.h"

namespace crd {

// What the inventory says of networks and of who has their addresses.
struct RecordedNetworks {
  std::vector<NetworkRecord> networks;
  std::vector<ReservationRecord> reservations;  // live
};

// What is there.
struct ObservedNetworks {
  std::set<CheckpointId> checkpoints;  // that are kept, ready or damaged
  std::set<ContainerId> running;
  std::set<CheckpointId> pins;    // for which there is a file…
  std::set<CheckpointId> pinned;  // …to which a namespace is bound
  std::set<std::string> bridges;
};

struct NetworksPlan {
  std::vector<ReservationRecord> reservations;  // to be written: they change
  std::vector<CheckpointId> unpin;
  std::vector<NetworkRecord> remake;  // whose bridge crd had made and that has gone
  std::vector<WallMicros> expiries;   // of what is held on
};

// Pure. What is active belongs to somebody who runs, what is held to a checkpoint that is there or
// to whoever reserved it; a namespace is kept if something holds it.
NetworksPlan PlanNetworks(const RecordedNetworks& recorded, const ObservedNetworks& observed,
                          WallMicros now);

// Brings networks, reservations and namespaces together after a start, once checkpoints and
// containers are. Main thread; nothing else runs yet.
Result<void> ReconcileNetworks(const EngineParts& parts);

}  // namespace crd
