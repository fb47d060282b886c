#include "daemon/core/engine.h"

#include <algorithm>
#include <utility>

#include "daemon/base/files.h"
#include "daemon/core/checkpoint.h"
#include "daemon/core/damage.h"
#include "daemon/core/errors.h"
#include "daemon/core/import.h"
#include "daemon/core/json.h"
#include "daemon/core/network_lock.h"
#include "daemon/core/restorable.h"
#include "daemon/core/restore.h"
#include "daemon/core/target.h"
#include "daemon/runtime/engine.h"
#include "daemon/runtime/find.h"

namespace crd {
namespace {

constexpr auto kDefaultTimeout = std::chrono::minutes(10);
constexpr std::size_t kMaxRequestId = 64;

// What was asked, as text: a request id stands for exactly one of these.
std::string Describe(const CheckpointRequest& request) {
  nlohmann::json json = {{"name", request.name},
                         {"options", ToJson(request.options)},
                         {"kill_exec", request.kill_exec}};
  if (request.keeping != Keeping::kHold) json["keeping"] = Name(request.keeping);
  if (request.reserve_for.count() != 0) json["reserve_for"] = request.reserve_for.count();
  if (request.force) json["force"] = true;
  if (const auto* pid = std::get_if<pid_t>(&request.target)) {
    json["pid"] = *pid;
  } else if (const auto* wanted = std::get_if<RuntimeTarget>(&request.target)) {
    json["container"] = wanted->key;
    json["runtime"] = wanted->runtime;
    json["runtime_root"] = wanted->root;
  } else if (const auto* described = std::get_if<DescribedTarget>(&request.target)) {
    json["pid"] = described->pid;
    json["description"] = {described->runtime, described->id, described->bundle, described->rootfs,
                           described->state_path};
  } else {
    json["container"] = std::get<std::string>(request.target);
  }
  return json.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

std::string Describe(const ImportRequest& request) {
  const nlohmann::json json = {{"import", request.directory},  {"name", request.name},
                               {"bundle", request.bundle},     {"runtime", request.runtime},
                               {"runtime_root", request.root}, {"container", request.container}};
  return json.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

std::string Describe(const RestoreRequest& request) {
  const nlohmann::json json = {{"checkpoint", request.checkpoint},
                               {"name", request.name},
                               {"tcp_established", request.tcp_established},
                               {"tcp_close", request.tcp_close},
                               {"network", static_cast<int>(request.network.mode)},
                               {"netns", request.network.path},
                               {"map", request.network.changes},
                               {"bundle", request.container.bundle},
                               {"mounts", request.container.mounts},
                               {"cgroup_parent", request.container.cgroup_parent},
                               {"console_socket", request.container.console_socket},
                               {"inherit", std::holds_alternative<StdioFromCaller>(request.stdio)}};
  return json.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

Result<void> CheckOptions(const criu::DumpOptions& options) {
  if (options.tcp_skip_in_flight && !options.tcp_established) {
    return errors::OptionsContradict(
        "tcp_skip_in_flight", "no tcp_established",
        "in-flight connections can only be skipped where established ones are carried along");
  }
  return {};
}

}  // namespace

Engine::Engine(EngineParts parts)
    : parts_(std::move(parts)), started_us_(parts_.clock.Wall()), runner_(parts_.workers) {}

Result<std::shared_ptr<Operation>> Engine::Begin(OperationKind kind, const std::string& request_id,
                                                 std::string request_text,
                                                 std::chrono::microseconds timeout,
                                                 OperationRunner::Work work) {
  if (request_id.size() > kMaxRequestId) {
    return errors::InvalidRequest(fmt::format("the request id has {} bytes", request_id.size()),
                                  fmt::format("use at most {} bytes", kMaxRequestId));
  }
  if (timeout.count() < 0)
    return errors::InvalidRequest("the timeout is negative", "leave it out for the default");
  // One at a time: two calls with one request id must not both find nothing.
  const std::lock_guard lock(begin_mutex_);
  if (!request_id.empty()) {
    std::shared_ptr<Operation> earlier;
    for (const auto& operation : runner_.live()) {
      if (operation->record().request_id == request_id) earlier = operation;
    }
    if (earlier == nullptr) {
      if (auto record = TRY(parts_.inventory.FindRequest(request_id))) {
        earlier = std::make_shared<Operation>(std::move(*record));
      }
    }
    if (earlier != nullptr) {
      const OperationRecord record = earlier->record();
      if (record.kind != kind || record.request != request_text)
        return errors::RequestIdReused(request_id);
      return earlier;
    }
  }
  OperationRecord record{.id = NewId<OperationId>(),
                         .request_id = request_id,
                         .request = std::move(request_text),
                         .kind = kind,
                         .stage = "queued",
                         .created_us = parts_.clock.Wall()};
  const Deadline deadline =
      SteadyClock::now() +
      (timeout.count() == 0 ? std::chrono::microseconds(kDefaultTimeout) : timeout);
  auto operation = std::make_shared<Operation>(std::move(record), deadline);
  TRY(runner_.Submit(operation, std::move(work)));
  return operation;
}

Result<std::shared_ptr<Operation>> Engine::StartCheckpoint(const CheckpointRequest& request) {
  TRY(CheckOptions(request.options));
  if (request.reserve_for.count() != 0 && request.options.leave_running) {
    return errors::OptionsContradict("reserve_for", "leave_running",
                                     "a tree that runs on keeps its addresses itself");
  }
  return Begin(OperationKind::kCheckpoint, request.request_id, Describe(request), request.timeout,
               [this, request](Operation& operation) {
                 RunCheckpoint(parts_, claims_, operation, request);
               });
}

Result<std::shared_ptr<Operation>> Engine::StartRestore(const RestoreRequest& request) {
  if (request.tcp_established && request.tcp_close) {
    return errors::OptionsContradict("tcp_established", "tcp_close",
                                     "bring connections back, or close them");
  }
  return Begin(
      OperationKind::kRestore, request.request_id, Describe(request), request.timeout,
      [this, request](Operation& operation) { RunRestore(parts_, claims_, operation, request); });
}

Result<std::shared_ptr<Operation>> Engine::StartImport(const ImportRequest& request) {
  // What it makes is a checkpoint, and a crd that dies meanwhile leaves the same to be undone.
  return Begin(OperationKind::kCheckpoint, request.request_id, Describe(request), request.timeout,
               [this, request](Operation& operation) { RunImport(parts_, operation, request); });
}

Result<std::vector<Obstacle>> Engine::Check(const CheckRequest& request) {
  const OperationId nobody;
  if (const auto* target = std::get_if<Target>(&request.subject)) {
    InspectedTarget inspected =
        TRY(InspectTarget(TRY(ResolveTarget(parts_, *target)), request.options, request.kill_exec,
                          {.self = ::getpid(), .busy = claims_.BusyPids(nobody)}));
    if (request.rootfs_diff) CheckRootfsDiff(*request.rootfs_diff, inspected);
    return std::move(inspected.preflight.obstacles);
  }
  return FindRestoreObstacles(parts_, claims_,
                              std::get<CheckRequest::CheckpointKey>(request.subject).key);
}

Result<CheckpointId> Engine::DeleteCheckpoint(const std::string& key) {
  const CheckpointId id = TRY(parts_.inventory.FindCheckpoint(key)).id;
  Claim claim(claims_, NewId<OperationId>());
  TRY(claim.OwnCheckpoint(id));
  const CheckpointRecord record =
      TRY(parts_.inventory.ChangeCheckpoint(id, [](CheckpointRecord& checkpoint) -> Result<bool> {
        if (checkpoint.state == CheckpointState::kDeleting) return false;
        if (checkpoint.state == CheckpointState::kCreating) {
          return errors::CheckpointNotReady(checkpoint.id, checkpoint.state, "");
        }
        TRY(SetState(checkpoint.state, CheckpointState::kDeleting));
        return true;
      }));
  std::string netns_path;
  if (const auto stored = parts_.images.Open(id); stored.ok())
    netns_path = LockedNetns(stored->manifest);
  TRY(parts_.images.Remove(id));
  ReleaseNetworkLock(parts_.inventory, record, netns_path);
  TRY(parts_.pins.Dismantle(id));
  Update update = parts_.inventory.NewUpdate();
  TRY(parts_.reservations.ReleaseOf(id, update));
  TRY(parts_.inventory.Write(update.Delete(id)));
  return id;
}

Result<ReservationRecord> Engine::ReleaseReservation(const std::string& key,
                                                     const std::string& network) {
  const ReservationRecord found = TRY(parts_.reservations.Find(key, network));
  Claim claim(claims_, NewId<OperationId>());
  if (!found.checkpoint_id.empty()) TRY(claim.OwnCheckpoint(found.checkpoint_id));
  return parts_.reservations.Release(found);
}

Result<Page<CheckpointRecord>> Engine::ListCheckpoints(std::string_view token, int limit,
                                                       const std::vector<CheckpointState>& states) {
  auto page = TRY(parts_.inventory.ListCheckpoints(token, limit, states));
  for (CheckpointRecord& record : page.records) NoticeMissing(record);
  return page;
}

Result<CheckpointRecord> Engine::FindCheckpoint(std::string_view key) {
  CheckpointRecord record = TRY(parts_.inventory.FindCheckpoint(key));
  NoticeMissing(record);
  return record;
}

void Engine::NoticeMissing(CheckpointRecord& record) {
  if (record.state != CheckpointState::kReady || !parts_.images.IsMissing(record.id)) return;
  // A deletion that has just begun or ended is no damage: the record says so, or is gone.
  auto now = parts_.inventory.FindCheckpoint(record.id.str());
  if (now.ok() && now->state == CheckpointState::kReady) {
    static_cast<void>(RecordDamage(parts_.inventory, record.id,
                                   {{.file = "manifest.json", .what = "is missing"}}));
    now = parts_.inventory.FindCheckpoint(record.id.str());
  }
  if (now.ok()) record = std::move(*now);
}

std::optional<Manifest> Engine::FindManifest(const CheckpointId& id) const {
  auto stored = parts_.images.Open(id);
  return stored.ok() ? std::optional(std::move(stored->manifest)) : std::nullopt;
}

Result<Engine::Verified> Engine::VerifyCheckpoint(const std::string& key) {
  CheckpointRecord record = TRY(parts_.inventory.FindCheckpoint(key));
  Claim claim(claims_, NewId<OperationId>());
  TRY(claim.ReadCheckpoint(record.id));
  if (record.state != CheckpointState::kReady && record.state != CheckpointState::kDamaged) {
    return errors::CheckpointNotReady(record.id, record.state, record.problem);
  }
  std::vector<Damage> damages;
  if (const auto stored = parts_.images.Open(record.id); stored.ok()) {
    damages = Verification(*stored).Finish();
  } else {
    damages.push_back({.file = "manifest.json", .what = stored.error().message});
  }
  if (!damages.empty()) {
    static_cast<void>(RecordDamage(parts_.inventory, record.id, damages));
    record = TRY(parts_.inventory.FindCheckpoint(record.id.str()));
  }
  return Verified{.checkpoint = std::move(record), .damages = std::move(damages)};
}

RuntimeContainers Engine::ListRuntimeContainers(const std::string& root) const {
  std::vector<std::string> roots = RuntimeRoots(parts_, root);
  runtime::Found found = runtime::List(roots);
  RuntimeContainers list{.problems = std::move(found.problems)};
  for (runtime::Container& container : found.containers) {
    const bool stopped = container.status == runtime::Status::kStopped;
    runtime::EngineContainer engine = runtime::FindEngine(container.state);
    list.containers.push_back({.id = std::move(container.state.id),
                               .runtime = std::string(runtime::KindName(container.state.kind)),
                               .status = std::string(runtime::StatusName(container.status)),
                               .pid = stopped ? 0 : container.state.pid,
                               .bundle = std::move(container.state.bundle),
                               .state_path = std::move(container.state.path),
                               .engine = std::move(engine.engine),
                               .name = std::move(engine.name)});
  }
  return list;
}

Result<void> Engine::SignalContainer(const std::string& key, int signal) {
  return parts_.containers.Signal(TRY(parts_.inventory.FindContainer(key)), signal);
}

Result<void> Engine::ForgetContainer(const std::string& key) {
  const ContainerRecord record = TRY(parts_.inventory.FindContainer(key));
  if (IsLive(record.state)) return errors::ContainerLive(record.id, record.state);
  const UniqueFd containers = TRY(OpenDirectory(parts_.state_directory + "/containers"));
  TRY(RemoveTreeAt(containers.ref(), record.id.str()));
  return parts_.inventory.Write(parts_.inventory.NewUpdate().Forget(record.id));
}

Result<EngineInfo> Engine::Info() {
  using enum CheckpointState;
  // One that has ended is live until its worker has let go of it.
  const auto live = runner_.live();
  const std::int64_t running = std::count_if(live.begin(), live.end(), [](const auto& operation) {
    return operation->record().state == OperationState::kRunning;
  });
  return EngineInfo{
      .criu_path = parts_.criu.path(),
      .criu_version = parts_.criu.version().ToString(),
      .criu_problem = parts_.criu.problem(),
      .kernel_release = parts_.kernel_release,
      .state_directory = parts_.state_directory,
      .checkpoints =
          TRY(parts_.inventory.CountCheckpoints({kCreating, kReady, kDamaged, kDeleting})),
      .containers_running = TRY(parts_.inventory.CountContainers({ContainerState::kRunning})),
      .operations_running = running,
      .started_us = started_us_,
      .kernel_cache_primed = parts_.kernel_cache_primed,
      .free_bytes = TRY(parts_.images.FreeBytes())};
}

std::shared_ptr<Operation> Engine::FindLive(const OperationId& id) const {
  for (const auto& operation : runner_.live()) {
    if (operation->id() == id) return operation;
  }
  return nullptr;
}

}  // namespace crd
