#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/base/cancel.h"
#include "daemon/base/clock.h"
#include "daemon/core/records.h"

namespace crd {

// How far an operation has come.
struct Progress {
  std::string stage;
  std::uint64_t done_bytes = 0;
  std::uint64_t total_bytes = 0;  // an estimate; 0: none
  std::int64_t elapsed_us = 0;
  std::uint64_t revision = 0;  // grows with every change
};

// One checkpoint, restore or deletion while this crd lives. The worker that runs it moves it on,
// any number of callers watch it. Thread-safe.
class Operation {
 public:
  Operation(OperationRecord record, Deadline deadline);
  // One that ended earlier, for a caller that repeats its request.
  explicit Operation(OperationRecord ended);

  // As it is now.
  [[nodiscard]] OperationRecord record() const;
  [[nodiscard]] const OperationId& id() const { return id_; }
  [[nodiscard]] Deadline deadline() const { return deadline_; }
  [[nodiscard]] const CancelToken& cancel() const { return cancel_; }

  // For the worker ---------------------------------------------------------------------------
  void Enter(std::string_view stage);
  void ReportBytes(std::uint64_t done, std::uint64_t total);
  void SetCheckpoint(const CheckpointId& id);
  void SetContainer(const ContainerId& id);
  // Stages so far with their times, the current one up to now.
  [[nodiscard]] std::vector<StageTime> stages() const;
  // OPERATION_CANCELLED or OPERATION_TIMED_OUT once it is to be given up.
  [[nodiscard]] Result<void> CheckGoingOn() const;
  // The record that it ends with, to be written with whatever else its end changes.
  [[nodiscard]] Result<OperationRecord> Succeeded(WallMicros now) const;
  [[nodiscard]] OperationRecord Failed(Error error, WallMicros now) const;
  // `record` is what was written to the inventory.
  void End(OperationRecord record);

  // For callers ------------------------------------------------------------------------------
  [[nodiscard]] Progress progress() const;
  [[nodiscard]] bool ended() const;
  // Returns once something is newer than `revision`, it has ended, or `limit` has passed.
  Progress WaitBeyond(std::uint64_t revision, std::chrono::milliseconds limit);
  void Cancel();
  // An operation that nobody waits for any more is cancelled: whoever asked for it is gone.
  void AddWatcher();
  void DropWatcher(bool gave_up);

 private:
  [[nodiscard]] Progress ProgressLocked() const;

  const OperationId id_;
  const Deadline deadline_;
  const SteadyClock::time_point began_ = SteadyClock::now();
  CancelToken cancel_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  OperationRecord record_;
  std::vector<StageTime> stages_;
  SteadyClock::time_point stage_began_ = began_;
  std::uint64_t done_bytes_ = 0;
  std::uint64_t total_bytes_ = 0;
  std::uint64_t revision_ = 1;
  int watchers_ = 0;
};

// Logs that the record of a failure could not be written, if so: the next start will write one.
void LogUnwritten(const OperationRecord& failed, const Result<void>& written);

}  // namespace crd
