#pragma once

#include <chrono>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "daemon/core/claims.h"
#include "daemon/core/engine_parts.h"
#include "daemon/core/operation.h"
#include "daemon/core/operation_runner.h"
#include "daemon/core/preflight.h"
#include "daemon/core/requests.h"
#include "daemon/core/tree_network.h"
#include "daemon/core/verify.h"

namespace crd {

struct EngineInfo {
  std::string criu_path;
  std::string criu_version;
  std::string criu_problem;
  std::string kernel_release;
  std::string state_directory;
  std::int64_t checkpoints = 0;
  std::int64_t containers_running = 0;
  std::int64_t operations_running = 0;
  WallMicros started_us = 0;
  bool kernel_cache_primed = false;
  std::uint64_t free_bytes = 0;
};

// A container as its runtime knows it.
struct RuntimeContainer {
  std::string id;
  std::string runtime;
  std::string status;
  pid_t pid = 0;  // 0 when it is stopped
  std::string bundle;
  std::string state_path;
  std::string engine;  // whose it is, and what that one calls it
  std::string name;
};
struct RuntimeContainers {
  std::vector<RuntimeContainer> containers;
  std::vector<Error> problems;  // states that cannot be read
};

// Everything that can be asked of crd. Thread-safe. Calls named Start… return at once: their
// operation goes on without the caller, unless nobody watches it any more (Operation::DropWatcher).
class Engine {
 public:
  explicit Engine(EngineParts parts);

  Result<std::shared_ptr<Operation>> StartCheckpoint(const CheckpointRequest& request);
  Result<std::shared_ptr<Operation>> StartRestore(const RestoreRequest& request);
  Result<std::shared_ptr<Operation>> StartImport(const ImportRequest& request);
  // Everything in the way, empty if nothing is known to be. A target or checkpoint that does not
  // exist is an error.
  Result<std::vector<Obstacle>> Check(const CheckRequest& request);

  // As the inventory has them, but a checkpoint whose images somebody has removed by hand turns
  // `damaged` here: one look at the disk for each ready one.
  Result<Page<CheckpointRecord>> ListCheckpoints(std::string_view token, int limit,
                                                 const std::vector<CheckpointState>& states);
  Result<CheckpointRecord> FindCheckpoint(std::string_view key);
  // Images first, then the record. CHECKPOINT_IN_USE while an operation needs it.
  Result<CheckpointId> DeleteCheckpoint(const std::string& key);
  // Nothing if it cannot be read.
  [[nodiscard]] std::optional<Manifest> FindManifest(const CheckpointId& id) const;
  // Compares every byte; turns the checkpoint `damaged` if it is.
  struct Verified {
    CheckpointRecord checkpoint;
    std::vector<Damage> damages;
  };
  Result<Verified> VerifyCheckpoint(const std::string& key);

  // What the runtimes' state directories show, and `root` if it is not empty.
  [[nodiscard]] RuntimeContainers ListRuntimeContainers(const std::string& root) const;

  Result<void> SignalContainer(const std::string& key, int signal);
  // Drops the record of a container that has ended, and its log.
  Result<void> ForgetContainer(const std::string& key);

  Result<EngineInfo> Info();
  Inventory& inventory() { return parts_.inventory; }
  Networks& networks() { return parts_.networks; }
  Reservations& reservations() { return parts_.reservations; }
  // See Reservations::Find and Release; CHECKPOINT_IN_USE while an operation needs what holds it.
  Result<ReservationRecord> ReleaseReservation(const std::string& key, const std::string& network);
  [[nodiscard]] std::string CheckpointDirectory(const CheckpointId& id) const {
    return parts_.images.Path(id);
  }
  // The live operation with this id, null if it has ended or never was.
  [[nodiscard]] std::shared_ptr<Operation> FindLive(const OperationId& id) const;
  [[nodiscard]] std::vector<std::shared_ptr<Operation>> live() const { return runner_.live(); }

  // Takes nothing new, and returns when nothing runs. See OperationRunner::Drain.
  void Drain(Deadline patience) { runner_.Drain(patience); }
  // From then on: who waits for what may never come is to be told so.
  [[nodiscard]] bool stopping() const { return runner_.draining(); }

 private:
  // Finds the operation that an earlier call with this request id began, or submits a new one.
  Result<std::shared_ptr<Operation>> Begin(OperationKind kind, const std::string& request_id,
                                           std::string request_text,
                                           std::chrono::microseconds timeout,
                                           OperationRunner::Work work);

  void NoticeMissing(CheckpointRecord& record);

  EngineParts parts_;
  Claims claims_;
  const WallMicros started_us_;
  std::mutex begin_mutex_;
  OperationRunner runner_;  // last: its threads use everything above
};

}  // namespace crd
