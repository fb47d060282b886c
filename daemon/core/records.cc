#include "daemon/core/records.h"

#include "daemon/core/json.h"

namespace crd {
namespace {

// CRIU's log and file names may hold any bytes; JSON only UTF-8.
std::string Dump(const nlohmann::json& json) {
  return json.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

template <typename State>
Result<State> Known(std::optional<State> state, std::string_view subject, std::string_view id,
                    std::string_view name) {
  if (state.has_value()) return *state;
  return Error{.code = Code::kDataLoss,
               .message = fmt::format("{} {} has the unknown state '{}' in the inventory", subject,
                                      id, name),
               .hint = "use the version of crd that wrote it"};
}

Result<std::vector<StageTime>> StagesFromJson(std::string_view text) {
  std::vector<StageTime> stages;
  if (text.empty()) return stages;
  const nlohmann::json array = TRY(ParseJson(text, "stages"));
  for (const auto& item : array) {
    stages.push_back({.stage = TRY(Member<std::string>(item, "stage", "")),
                      .micros = TRY(Member<std::int64_t>(item, "us", 0))});
  }
  return stages;
}

template <typename T, typename F>
Result<T> ParseOr(const std::string& text, std::string_view what, F from_json) {
  if (text.empty()) return T{};
  return from_json(TRY(ParseJson(text, what)));
}

}  // namespace

store::CheckpointRow ToRow(const CheckpointRecord& record) {
  nlohmann::json stages = nlohmann::json::array();
  for (const StageTime& time : record.stages) {
    stages.push_back({{"stage", time.stage}, {"us", time.micros}});
  }
  return {.id = record.id.str(),
          .name = record.name,
          .state = std::string(Name(record.state)),
          .pid = record.pid,
          .command = record.command,
          .processes = record.processes,
          .container_id = record.container_id.str(),
          .created_us = record.created_us,
          .ready_us = record.ready_us,
          .size_bytes = record.size_bytes,
          .options = Dump(ToJson(record.options)),
          .statistics = Dump(ToJson(record.statistics)),
          .stages = Dump(stages),
          .criu_version = record.criu_version,
          .kernel_release = record.kernel_release,
          .host = record.host,
          .problem = record.problem,
          .network_lock = record.network_lock};
}

store::ContainerRow ToRow(const ContainerRecord& record) {
  return {.id = record.id.str(),
          .name = record.name,
          .state = std::string(Name(record.state)),
          .pid = record.process.pid,
          .start_time = static_cast<std::int64_t>(record.process.start_time),
          .boot_id = record.boot_id,
          .command = record.command,
          .parent_checkpoint_id = record.parent_checkpoint_id.str(),
          .last_checkpoint_id = record.last_checkpoint_id.str(),
          .created_us = record.created_us,
          .started_us = record.started_us,
          .ended_us = record.ended_us,
          .exit_code = record.exit.code,
          .exit_signal = record.exit.signal,
          .log_path = record.log_path,
          .problem = record.problem};
}

store::OperationRow ToRow(const OperationRecord& record) {
  return {.id = record.id.str(),
          .request_id = record.request_id,
          .request = record.request,
          .kind = std::string(Name(record.kind)),
          .state = std::string(Name(record.state)),
          .checkpoint_id = record.checkpoint_id.str(),
          .container_id = record.container_id.str(),
          .stage = record.stage,
          .created_us = record.created_us,
          .ended_us = record.ended_us,
          .error = record.error.code == Code::kOk ? "" : Dump(ToJson(record.error))};
}

Result<CheckpointRecord> FromRow(const store::CheckpointRow& row) {
  return CheckpointRecord{
      .id = CheckpointId(row.id),
      .name = row.name,
      .state = TRY(Known(ParseCheckpointState(row.state), "checkpoint", row.id, row.state)),
      .pid = static_cast<pid_t>(row.pid),
      .command = row.command,
      .processes = row.processes,
      .container_id = ContainerId(row.container_id),
      .created_us = row.created_us,
      .ready_us = row.ready_us,
      .size_bytes = row.size_bytes,
      .options = TRY(ParseOr<criu::DumpOptions>(row.options, "options", DumpOptionsFromJson)),
      .statistics =
          TRY(ParseOr<criu::DumpStatistics>(row.statistics, "statistics", DumpStatisticsFromJson)),
      .stages = TRY(StagesFromJson(row.stages)),
      .criu_version = row.criu_version,
      .kernel_release = row.kernel_release,
      .host = row.host,
      .problem = row.problem,
      .network_lock = row.network_lock};
}

Result<ContainerRecord> FromRow(const store::ContainerRow& row) {
  ExitStatus exit;
  if (row.exit_code.has_value()) exit.code = static_cast<int>(*row.exit_code);
  if (row.exit_signal.has_value()) exit.signal = static_cast<int>(*row.exit_signal);
  return ContainerRecord{
      .id = ContainerId(row.id),
      .name = row.name,
      .state = TRY(Known(ParseContainerState(row.state), "container", row.id, row.state)),
      .process = {.pid = static_cast<pid_t>(row.pid),
                  .start_time = static_cast<std::uint64_t>(row.start_time)},
      .boot_id = row.boot_id,
      .command = row.command,
      .parent_checkpoint_id = CheckpointId(row.parent_checkpoint_id),
      .last_checkpoint_id = CheckpointId(row.last_checkpoint_id),
      .created_us = row.created_us,
      .started_us = row.started_us,
      .ended_us = row.ended_us,
      .exit = exit,
      .log_path = row.log_path,
      .problem = row.problem};
}

Result<OperationRecord> FromRow(const store::OperationRow& row) {
  Error error{.code = Code::kOk};
  if (!row.error.empty()) error = ErrorFromJson(TRY(ParseJson(row.error, "error")));
  return OperationRecord{
      .id = OperationId(row.id),
      .request_id = row.request_id,
      .request = row.request,
      .kind = TRY(Known(ParseOperationKind(row.kind), "operation", row.id, row.kind)),
      .state = TRY(Known(ParseOperationState(row.state), "operation", row.id, row.state)),
      .checkpoint_id = CheckpointId(row.checkpoint_id),
      .container_id = ContainerId(row.container_id),
      .stage = row.stage,
      .created_us = row.created_us,
      .ended_us = row.ended_us,
      .error = error};
}

}  // namespace crd
