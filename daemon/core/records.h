#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "daemon/base/clock.h"
#include "daemon/base/ids.h"
#include "daemon/base/pid_fd.h"
#include "daemon/base/result.h"
#include "daemon/core/states.h"
#include "daemon/criu/criu.h"
#include "store/rows.h"

namespace crd {

// What crd knows of a checkpoint, a container and an operation, as values: typed and checked, where
// the store's rows are plain text and numbers.

// A step of an operation and how long it took.
struct StageTime {
  std::string stage;
  std::int64_t micros = 0;
};

struct CheckpointRecord {
  CheckpointId id;
  std::string name;
  CheckpointState state = CheckpointState::kCreating;
  pid_t pid = 0;
  std::string command;
  std::int64_t processes = 0;
  ContainerId container_id;
  WallMicros created_us = 0;
  WallMicros ready_us = 0;
  std::int64_t size_bytes = 0;
  criu::DumpOptions options;
  criu::DumpStatistics statistics;
  std::vector<StageTime> stages;
  std::string criu_version;
  std::string kernel_release;
  std::string host;
  std::string problem;
  std::string network_lock;
};

struct ContainerRecord {
  ContainerId id;
  std::string name;
  ContainerState state = ContainerState::kRunning;
  ProcessIdentity process;
  std::string boot_id;
  std::string command;
  CheckpointId parent_checkpoint_id;
  CheckpointId last_checkpoint_id;
  WallMicros created_us = 0;
  WallMicros started_us = 0;
  WallMicros ended_us = 0;
  ExitStatus exit;
  std::string log_path;
  std::string problem;
};

struct OperationRecord {
  OperationId id;
  std::string request_id;
  std::string request;
  OperationKind kind = OperationKind::kCheckpoint;
  OperationState state = OperationState::kRunning;
  CheckpointId checkpoint_id;
  ContainerId container_id;
  std::string stage;
  WallMicros created_us = 0;
  WallMicros ended_us = 0;
  Error error = {.code = Code::kOk};
};

store::CheckpointRow ToRow(const CheckpointRecord& record);
store::ContainerRow ToRow(const ContainerRecord& record);
store::OperationRow ToRow(const OperationRecord& record);

// Fail with kDataLoss on a row that this version could not have written.
Result<CheckpointRecord> FromRow(const store::CheckpointRow& row);
Result<ContainerRecord> FromRow(const store::ContainerRow& row);
Result<OperationRecord> FromRow(const store::OperationRow& row);

}  // namespace crd
