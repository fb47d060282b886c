#include "daemon/rpc/convert.h"

#include "daemon/rpc/text.h"

namespace crd::rpc {
namespace {

constexpr std::size_t kMaxMessage = 1500;
constexpr std::size_t kMaxHint = 400;
constexpr std::size_t kMaxWord = 64;
constexpr std::size_t kMaxLogLine = 300;

v1::CheckpointState ToProto(CheckpointState state) {
  switch (state) {
    case CheckpointState::kCreating:
      return v1::CHECKPOINT_STATE_CREATING;
    case CheckpointState::kReady:
      return v1::CHECKPOINT_STATE_READY;
    case CheckpointState::kFailed:
      return v1::CHECKPOINT_STATE_FAILED;
    case CheckpointState::kDamaged:
      return v1::CHECKPOINT_STATE_DAMAGED;
    case CheckpointState::kDeleting:
      return v1::CHECKPOINT_STATE_DELETING;
  }
  return v1::CHECKPOINT_STATE_UNSPECIFIED;
}

v1::ContainerState ToProto(ContainerState state) {
  switch (state) {
    case ContainerState::kRunning:
      return v1::CONTAINER_STATE_RUNNING;
    case ContainerState::kCheckpointing:
      return v1::CONTAINER_STATE_CHECKPOINTING;
    case ContainerState::kCheckpointed:
      return v1::CONTAINER_STATE_CHECKPOINTED;
    case ContainerState::kRestoring:
      return v1::CONTAINER_STATE_RESTORING;
    case ContainerState::kExited:
      return v1::CONTAINER_STATE_EXITED;
    case ContainerState::kLost:
      return v1::CONTAINER_STATE_LOST;
  }
  return v1::CONTAINER_STATE_UNSPECIFIED;
}

v1::OperationKind ToProto(OperationKind kind) {
  switch (kind) {
    case OperationKind::kCheckpoint:
      return v1::OPERATION_KIND_CHECKPOINT;
    case OperationKind::kRestore:
      return v1::OPERATION_KIND_RESTORE;
    case OperationKind::kDelete:
      return v1::OPERATION_KIND_DELETE;
  }
  return v1::OPERATION_KIND_UNSPECIFIED;
}

v1::OperationState ToProto(OperationState state) {
  switch (state) {
    case OperationState::kRunning:
      return v1::OPERATION_STATE_RUNNING;
    case OperationState::kSucceeded:
      return v1::OPERATION_STATE_SUCCEEDED;
    case OperationState::kFailed:
      return v1::OPERATION_STATE_FAILED;
  }
  return v1::OPERATION_STATE_UNSPECIFIED;
}

v1::DumpOptions ToProto(const criu::DumpOptions& options) {
  v1::DumpOptions message;
  message.set_leave_running(options.leave_running);
  message.set_tcp_established(options.tcp_established);
  message.set_file_locks(options.file_locks);
  message.set_ext_unix_sk(options.ext_unix_sk);
  message.set_shell_job(options.shell_job);
  message.set_link_remap(options.link_remap);
  message.set_tcp_skip_in_flight(options.tcp_skip_in_flight);
  message.set_ghost_limit(options.ghost_limit);
  message.set_network(static_cast<v1::NetworkSaving>(options.network));
  return message;
}

v1::DumpStatistics ToProto(const criu::DumpStatistics& statistics) {
  v1::DumpStatistics message;
  message.set_freezing_us(statistics.freezing_us);
  message.set_frozen_us(statistics.frozen_us);
  message.set_memdump_us(statistics.memdump_us);
  message.set_memwrite_us(statistics.memwrite_us);
  message.set_pages_scanned(statistics.pages_scanned);
  message.set_pages_written(statistics.pages_written);
  return message;
}

v1::ExitStatus ToProto(const ExitStatus& exit) {
  v1::ExitStatus message;
  if (exit.code.has_value()) message.set_code(*exit.code);
  if (exit.signal.has_value()) message.set_signal(*exit.signal);
  return message;
}

bool HasImages(CheckpointState state) {
  return state != CheckpointState::kCreating && state != CheckpointState::kFailed;
}

}  // namespace

v1::Checkpoint ToProto(const CheckpointRecord& record, const std::string& directory) {
  v1::Checkpoint message;
  message.set_id(record.id.str());
  message.set_name(record.name);
  message.set_state(ToProto(record.state));
  message.set_pid(record.pid);
  message.set_command(ValidUtf8(record.command));
  message.set_processes(static_cast<std::uint32_t>(record.processes));
  message.set_container_id(record.container_id.str());
  message.set_created_us(record.created_us);
  message.set_ready_us(record.ready_us);
  message.set_size_bytes(static_cast<std::uint64_t>(record.size_bytes));
  *message.mutable_options() = ToProto(record.options);
  *message.mutable_statistics() = ToProto(record.statistics);
  for (const StageTime& time : record.stages) {
    v1::StageTime& stage = *message.add_stages();
    stage.set_stage(time.stage);
    stage.set_micros(static_cast<std::uint64_t>(time.micros));
  }
  message.set_criu_version(record.criu_version);
  message.set_kernel_release(record.kernel_release);
  message.set_host(ValidUtf8(record.host));
  message.set_problem(ValidUtf8(record.problem));
  if (HasImages(record.state)) message.set_directory(ValidUtf8(directory));
  message.set_network_lock(record.network_lock);
  return message;
}

v1::Container ToProto(const ContainerRecord& record) {
  v1::Container message;
  message.set_id(record.id.str());
  message.set_name(record.name);
  message.set_state(ToProto(record.state));
  message.set_pid(record.process.pid);
  message.set_start_time(record.process.start_time);
  message.set_command(ValidUtf8(record.command));
  message.set_parent_checkpoint_id(record.parent_checkpoint_id.str());
  message.set_last_checkpoint_id(record.last_checkpoint_id.str());
  message.set_created_us(record.created_us);
  message.set_started_us(record.started_us);
  message.set_ended_us(record.ended_us);
  if (record.exit.known()) *message.mutable_exit() = ToProto(record.exit);
  message.set_log_path(ValidUtf8(record.log_path));
  message.set_problem(ValidUtf8(record.problem));
  return message;
}

v1::Operation ToProto(const OperationRecord& record) {
  v1::Operation message;
  message.set_id(record.id.str());
  message.set_request_id(record.request_id);
  message.set_kind(ToProto(record.kind));
  message.set_state(ToProto(record.state));
  message.set_checkpoint_id(record.checkpoint_id.str());
  message.set_container_id(record.container_id.str());
  message.set_stage(record.stage);
  message.set_created_us(record.created_us);
  message.set_ended_us(record.ended_us);
  if (record.error.code != Code::kOk) *message.mutable_error() = ToProto(record.error);
  return message;
}

v1::Progress ToProto(const OperationId& operation, const Progress& progress) {
  v1::Progress message;
  message.set_operation_id(operation.str());
  message.set_stage(progress.stage);
  message.set_done_bytes(progress.done_bytes);
  message.set_total_bytes(progress.total_bytes);
  message.set_elapsed_us(progress.elapsed_us);
  return message;
}

v1::Event ToProto(const Event& event) {
  v1::Event message;
  message.set_sequence(event.sequence);
  message.set_time_us(event.time_us);
  message.set_subject(event.subject);
  message.set_id(event.id);
  message.set_change(event.change);
  message.set_detail(ValidUtf8(event.detail));
  return message;
}

v1::Obstacle ToProto(const Obstacle& obstacle) {
  v1::Obstacle message;
  message.set_reason(obstacle.error.reason);
  message.set_pid(obstacle.pid);
  message.set_message(ValidUtf8(obstacle.error.message));
  message.set_hint(ValidUtf8(obstacle.error.hint));
  return message;
}

v1::Obstacle ToProto(const Damage& damage) {
  v1::Obstacle message;
  message.set_reason("IMAGES_DAMAGED");
  message.set_message(ValidUtf8(damage.ToString()));
  return message;
}

v1::InfoResponse ToProto(const EngineInfo& info) {
  v1::InfoResponse message;
  message.set_version(CRD_VERSION);
  message.set_criu_path(ValidUtf8(info.criu_path));
  message.set_criu_version(info.criu_version);
  message.set_criu_problem(ValidUtf8(info.criu_problem));
  message.set_kernel_release(info.kernel_release);
  message.set_state_directory(ValidUtf8(info.state_directory));
  message.set_checkpoints(static_cast<std::uint64_t>(info.checkpoints));
  message.set_containers_running(static_cast<std::uint64_t>(info.containers_running));
  message.set_operations_running(static_cast<std::uint64_t>(info.operations_running));
  message.set_started_us(info.started_us);
  message.set_kernel_cache_primed(info.kernel_cache_primed);
  message.set_free_bytes(info.free_bytes);
  return message;
}

v1::RootfsDiff ToProto(const StoredLayer& layer) {
  v1::RootfsDiff message;
  message.set_base(ValidUtf8(layer.base));
  message.set_size_bytes(layer.size);
  return message;
}

v1::RuntimeContainer ToProto(const RuntimeContainer& container) {
  v1::RuntimeContainer message;
  message.set_id(ValidUtf8(container.id));
  message.set_runtime(container.runtime);
  message.set_status(container.status);
  message.set_pid(container.pid);
  message.set_bundle(ValidUtf8(container.bundle));
  message.set_state_path(ValidUtf8(container.state_path));
  message.set_engine(container.engine);
  message.set_name(ValidUtf8(container.name));
  return message;
}

v1::Error ToProto(const Error& error) {
  v1::Error message;
  message.set_code(static_cast<int>(error.code));
  message.set_reason(Shorten(error.reason, kMaxWord));
  message.set_message(Shorten(error.message, kMaxMessage));
  message.set_hint(Shorten(error.hint, kMaxHint));
  message.set_stage(Shorten(error.stage, kMaxWord));
  message.set_sys_errno(error.sys_errno);
  for (const std::string& line : error.log_lines) {
    message.add_log_lines(Shorten(line, kMaxLogLine));
    if (message.ByteSizeLong() <= kMaxErrorBytes) continue;
    message.mutable_log_lines()->RemoveLast();
    break;
  }
  return message;
}

}  // namespace crd::rpc
