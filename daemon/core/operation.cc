#include "daemon/core/operation.h"

#include "daemon/base/log.h"
#include "daemon/core/errors.h"

namespace crd {

Operation::Operation(OperationRecord record, Deadline deadline)
    : id_(record.id), deadline_(deadline), record_(std::move(record)) {}

Operation::Operation(OperationRecord ended)
    : id_(ended.id), deadline_(kNoDeadline), record_(std::move(ended)) {}

OperationRecord Operation::record() const {
  const std::lock_guard lock(mutex_);
  return record_;
}

void Operation::Enter(std::string_view stage) {
  const auto now = SteadyClock::now();
  {
    const std::lock_guard lock(mutex_);
    if (!stages_.empty()) stages_.back().micros = MicrosSince(stage_began_);
    stages_.push_back({.stage = std::string(stage), .micros = 0});
    stage_began_ = now;
    record_.stage = stage;
    ++revision_;
  }
  changed_.notify_all();
}

void Operation::ReportBytes(std::uint64_t done, std::uint64_t total) {
  {
    const std::lock_guard lock(mutex_);
    done_bytes_ = done;
    total_bytes_ = total;
    ++revision_;
  }
  changed_.notify_all();
}

void Operation::SetCheckpoint(const CheckpointId& id) {
  const std::lock_guard lock(mutex_);
  record_.checkpoint_id = id;
}

void Operation::SetContainer(const ContainerId& id) {
  const std::lock_guard lock(mutex_);
  record_.container_id = id;
}

std::vector<StageTime> Operation::stages() const {
  const std::lock_guard lock(mutex_);
  std::vector<StageTime> stages = stages_;
  if (!stages.empty()) stages.back().micros = MicrosSince(stage_began_);
  return stages;
}

Result<void> Operation::CheckGoingOn() const {
  const std::string stage = record().stage;
  if (cancel_.cancelled()) return errors::OperationCancelled(stage);
  if (SteadyClock::now() >= deadline_) return errors::OperationTimedOut(stage);
  return {};
}

Result<OperationRecord> Operation::Succeeded(WallMicros now) const {
  OperationRecord ended = record();
  TRY(SetState(ended.state, OperationState::kSucceeded));
  ended.ended_us = now;
  return ended;
}

OperationRecord Operation::Failed(Error error, WallMicros now) const {
  OperationRecord ended = record();
  ended.error = std::move(error).AtStage(ended.stage);
  ended.state = OperationState::kFailed;
  ended.ended_us = now;
  return ended;
}

void Operation::End(OperationRecord record) {
  {
    const std::lock_guard lock(mutex_);
    record_ = std::move(record);
    ++revision_;
  }
  changed_.notify_all();
}

Progress Operation::ProgressLocked() const {
  return {.stage = record_.stage,
          .done_bytes = done_bytes_,
          .total_bytes = total_bytes_,
          .elapsed_us = MicrosSince(began_),
          .revision = revision_};
}

Progress Operation::progress() const {
  const std::lock_guard lock(mutex_);
  return ProgressLocked();
}

bool Operation::ended() const {
  const std::lock_guard lock(mutex_);
  return record_.state != OperationState::kRunning;
}

Progress Operation::WaitBeyond(std::uint64_t revision, std::chrono::milliseconds limit) {
  std::unique_lock lock(mutex_);
  changed_.wait_for(lock, limit, [&] {
    return revision_ > revision || record_.state != OperationState::kRunning;
  });
  return ProgressLocked();
}

void Operation::Cancel() { cancel_.Cancel(); }

void Operation::AddWatcher() {
  const std::lock_guard lock(mutex_);
  ++watchers_;
}

void Operation::DropWatcher(bool gave_up) {
  bool alone = false;
  {
    const std::lock_guard lock(mutex_);
    --watchers_;
    alone = watchers_ == 0 && record_.state == OperationState::kRunning;
  }
  if (gave_up && alone) Cancel();
}

void LogUnwritten(const OperationRecord& failed, const Result<void>& written) {
  if (written.ok()) return;
  spdlog::error("op={} record its failure: {}; the next start will", failed.id,
                written.error().message);
}

}  // namespace crd
