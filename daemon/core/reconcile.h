#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "daemon/base/unique_fd.h"
#include "daemon/core/claims.h"
#include "daemon/core/engine_parts.h"

namespace crd {

// What the inventory says of things that were not finished, or that may have changed, when crd
// ended.
struct Recorded {
  std::vector<CheckpointRecord> checkpoints;  // creating, deleting
  std::vector<ContainerRecord> containers;    // live
  std::vector<OperationRecord> operations;    // running
};

// What is there.
struct Observed {
  std::string boot_id;
  std::set<ContainerId> alive;              // the recorded process itself, not one with its pid
  std::map<ContainerId, ExitStatus> exits;  // of those that ended and whose status was kept
  std::map<ContainerId, CheckpointId> committed;  // the newest ready checkpoint of a container
  std::set<CheckpointId> ready;                   // checkpoints of `operations` that are ready
};

// What to do about the difference.
struct ReconcilePlan {
  std::vector<CheckpointRecord> checkpoints;  // to be written: they change state
  std::vector<ContainerRecord> containers;
  std::vector<OperationRecord> operations;
  std::vector<ContainerId> forget;
  std::vector<CheckpointId> remove;  // directories that no checkpoint stands for
  std::vector<CheckpointId> finish_deleting;
  std::vector<ContainerRecord> watch;
  std::vector<pid_t> thaw;  // whose dump was interrupted
};

// Pure. Every live container comes out alive, ended, lost or forgotten; nothing stays half-way.
ReconcilePlan PlanReconcile(const Recorded& recorded, const Observed& observed, WallMicros now);

// Brings records and host together after a start, before anything is accepted. `kept` are pidfds
// from the descriptor store, by Containers::KeptName(). Main thread; nothing else runs yet.
Result<void> Reconcile(const EngineParts& parts, std::map<std::string, UniqueFd> kept);

}  // namespace crd
