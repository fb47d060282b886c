#include "daemon/core/checkpoint.h"

#include <algorithm>
#include <chrono>
#include <optional>
#include <utility>

#include <fmt/ranges.h>

#include "daemon/base/log.h"
#include "daemon/core/container_dump.h"
#include "daemon/core/dump_cure.h"
#include "daemon/core/dump_network.h"
#include "daemon/core/errors.h"
#include "daemon/core/image_follower.h"
#include "daemon/core/link_remaps.h"
#include "daemon/core/preflight.h"
#include "daemon/core/target.h"
#include "daemon/criu/images.h"
#include "daemon/runtime/execed.h"

namespace crd {
namespace {

// A killed tree of many GiB takes a while to give its memory back.
constexpr auto kEndPatience = std::chrono::seconds(30);
constexpr auto kCgroupPatience = std::chrono::seconds(10);

// What images hold besides memory: descriptors, mappings, registers.
constexpr std::uint64_t kImagesBase = 4U << 20U;
constexpr std::uint64_t kImagesPerProcess = 64U << 10U;

class Checkpointing {
 public:
  Checkpointing(const EngineParts& parts, Claims& claims, Operation& operation,
                const CheckpointRequest& request)
      : parts_(parts),
        operation_(operation),
        request_(request),
        claim_(claims, operation.id()),
        claims_(claims) {}

  // How it ended, written to the inventory where anything was.
  OperationRecord Run();

 private:
  Result<void> Prepare();
  Result<void> OpenRootfs();
  Result<void> Record();
  Result<void> Dump();
  Result<void> OnStage(criu::DumpStage stage);
  Result<void> CompleteImages();
  Result<void> SaveRootfs();
  Result<void> Commit();
  Result<void> WriteReady(const Manifest& manifest);
  Result<void> OnCriuKilled(Error error);
  Result<void> AwaitEnd();
  Result<OperationRecord> RecordSuccess();
  OperationRecord RecordFailure(Error error);

  const EngineParts& parts_;
  Operation& operation_;
  const CheckpointRequest& request_;
  Claim claim_;
  Claims& claims_;

  std::optional<CheckpointTarget> target_;
  std::optional<ContainerDump> dump_;  // of an OCI container
  std::optional<Preflight> preflight_;
  std::optional<DumpNetwork> network_;
  CheckpointRecord checkpoint_;
  std::optional<StagedCheckpoint> staged_;
  std::vector<RemappedFile> remapped_;
  std::optional<ImageFollower> follower_;
  bool recorded_ = false;
  bool committed_ = false;
};

OperationRecord Checkpointing::Run() {
  auto done = Prepare();
  if (done.ok()) done = Record();
  if (done.ok()) done = Dump();
  if (done.ok()) done = AwaitEnd();
  if (!done.ok()) return RecordFailure(std::move(done).error());
  auto ended = RecordSuccess();
  return ended.ok() ? std::move(*ended) : RecordFailure(std::move(ended).error());
}

Result<void> Checkpointing::Prepare() {
  operation_.Enter("inspect");
  if (!parts_.criu.problem().empty())
    return errors::CriuUnusable(parts_.criu.path(), parts_.criu.problem());
  if (!request_.name.empty() && !IsValidName(request_.name)) {
    return errors::InvalidName("checkpoint", request_.name);
  }
  InspectedTarget inspected = TRY(InspectTarget(
      TRY(ResolveTarget(parts_, request_.target)), request_.options, request_.kill_exec,
      {.self = ::getpid(), .busy = claims_.BusyPids(operation_.id()), .force = request_.force}));
  preflight_ = std::move(inspected.preflight);
  if (!preflight_->obstacles.empty()) return errors::CannotBeDumped(preflight_->obstacles);
  target_.emplace(TRY(OpenTarget(parts_, preflight_->tree.root())));
  if (inspected.container) {
    dump_.emplace(TRY(ContainerDump::Prepare(preflight_->tree.root().pid,
                                             *std::move(inspected.container), inspected.streams)));
  }
  std::vector<pid_t> pids;
  for (const TreeProcess& process : preflight_->tree.processes()) pids.push_back(process.pid);
  TRY(claim_.Pids(pids));
  network_.emplace(parts_, request_, *preflight_);
  TRY(network_->Check(target_->container.id));
  const std::uint64_t needed =
      preflight_->memory_bytes + kImagesBase + kImagesPerProcess * pids.size();
  const std::uint64_t free = TRY(parts_.images.FreeBytes());
  if (free < needed) return errors::NoRoom(needed, free, parts_.images.path());
  TRY(OpenRootfs());
  TRY(operation_.CheckGoingOn());
  if (inspected.execed.empty()) return {};
  // Last: what is refused has changed nothing.
  return runtime::EndExeced(preflight_->tree.root().pid, inspected.execed,
                            std::min(operation_.deadline(), SteadyClock::now() + kEndPatience));
}

Result<void> Checkpointing::OpenRootfs() {
  if (!request_.rootfs_diff) return {};
  if (!dump_) return errors::RootfsDiffOfTree(target_->root.pid());
  return dump_->OpenRootfs(target_->root.pid(), *request_.rootfs_diff,
                           [this] { return operation_.CheckGoingOn(); });
}

Result<void> Checkpointing::Record() {
  operation_.Enter("record");
  ContainerRecord& container = target_->container;
  checkpoint_ = {.id = NewId<CheckpointId>(),
                 .name = request_.name,
                 .pid = target_->root.pid(),
                 .command = preflight_->tree.root().command_line,
                 .processes = static_cast<std::int64_t>(preflight_->tree.processes().size()),
                 .container_id = container.id,
                 .created_us = parts_.clock.Wall(),
                 .options = request_.options,
                 .criu_version = parts_.criu.version().ToString(),
                 .kernel_release = parts_.kernel_release,
                 .host = parts_.host};
  operation_.SetCheckpoint(checkpoint_.id);
  operation_.SetContainer(container.id);
  auto staged = parts_.images.Stage(operation_.id());
  if (!staged.ok()) return errors::ImagesUnwritable(parts_.images.path(), staged.error());
  staged_.emplace(std::move(*staged));
  if (!preflight_->remapped.empty())
    TRY(AnnounceLinkRemaps(staged_->work(), checkpoint_.id, preflight_->remapped));
  parts_.containers.Hold(container.id);
  if (!target_->is_new) {
    if (auto state = SetState(container.state, ContainerState::kCheckpointing); !state.ok()) {
      parts_.containers.LetGo(container.id);
      return errors::ContainerEnded(container.id, container.state);
    }
  }
  auto written = parts_.inventory.Write(
      parts_.inventory.NewUpdate().Put(checkpoint_).Put(container).Put(operation_.record()));
  if (!written.ok()) parts_.containers.LetGo(container.id);
  recorded_ = written.ok();
  return written;
}

Result<void> Checkpointing::Dump() {
  operation_.Enter("dump");
  criu::DumpRequest request{.pid = target_->root.pid(),
                            .images = staged_->images(),
                            .work = staged_->work(),
                            .options = request_.options,
                            .external = preflight_->external,
                            .deadline = operation_.deadline()};
  TRY(network_->ApplyTo(request));
  if (dump_) TRY(dump_->ApplyTo(request));
  const Cgroup cgroup = TRY(Cgroup::Create(parts_.cgroup_base, "op-" + operation_.id().str()));
  request.cgroup = cgroup.directory();
  follower_.emplace(staged_->images(), [this](std::uint64_t bytes) {
    operation_.ReportBytes(bytes, preflight_->memory_bytes);
  });
  auto report = parts_.criu.Dump(
      request, [this](criu::DumpStage stage) { return OnStage(stage); }, operation_.cancel());
  if (dump_) dump_->Thaw();
  // CRIU has ended; what it started ends with it.
  const auto emptied = cgroup.Destroy(SteadyClock::now() + kCgroupPatience);
  if (!emptied.ok()) spdlog::warn("op={} {}, ignoring", operation_.id(), emptied.error().message);
  if (!report.ok()) {
    Error error = std::move(report).error();
    if (error.reason == "CRIU_KILLED") return OnCriuKilled(std::move(error));
    return errors::StoppedAt(operation_.record().stage, std::move(error));
  }
  checkpoint_.statistics = report->statistics;
  if (dump_) {
    checkpoint_.statistics.freezing_us += static_cast<std::uint64_t>(dump_->freezing().count());
  }
  return request_.options.leave_running ? Commit() : Result<void>();
}

Result<void> Checkpointing::OnCriuKilled(Error error) {
  if (committed_ && EndRestOfTree(preflight_->tree)) {
    spdlog::warn("op={} {}; the checkpoint was complete, and crd ended the rest of the tree",
                 operation_.id(), error.message);
    return {};
  }
  CureAfterKilledDump(preflight_->tree.processes(), staged_->work());
  return errors::StoppedAt(operation_.record().stage, std::move(error));
}

Result<void> Checkpointing::OnStage(criu::DumpStage stage) {
  switch (stage) {
    case criu::DumpStage::kPreDump:
      return dump_ ? dump_->Freeze() : Result<void>();
    case criu::DumpStage::kNetworkLock:
      network_->BeginPause();
      return {};
    case criu::DumpStage::kNetworkUnlock:
      network_->EndPause();
      return {};
    case criu::DumpStage::kPostDump:
      TRY(operation_.CheckGoingOn());
      TRY(CompleteImages());
      return request_.options.leave_running ? Result<void>() : Commit();
  }
  return {};
}

// What has to be done to the images and the tree's files while the tree is frozen.
Result<void> Checkpointing::CompleteImages() {
  const bool has_terminal =
      std::any_of(preflight_->stdio.begin(), preflight_->stdio.end(),
                  [](const StdioLink& link) { return link.kind == StdioLink::Kind::kTerminal; });
  if (has_terminal) TRY(criu::ForgetTerminalSessions(staged_->images()));
  if (dump_) TRY(dump_->SaveMounts(checkpoint_.pid, staged_->images()));
  if (dump_ && dump_->saves_rootfs()) TRY(SaveRootfs());
  if (request_.options.link_remap)
    remapped_ = TRY(TakeLinkRemaps(staged_->work(), checkpoint_.id, staged_->images()));
  return {};
}

Result<void> Checkpointing::SaveRootfs() {
  operation_.Enter("rootfs");
  auto saved = dump_->SaveRootfs(staged_->images(), [this] { return operation_.CheckGoingOn(); });
  if (!saved.ok() && saved.error().code == Code::kResourceExhausted)
    return errors::ImagesUnwritable(parts_.images.path(), saved.error());
  return saved;
}

Result<void> Checkpointing::Commit() {
  operation_.Enter("commit");
  Manifest manifest{.stdio = preflight_->stdio, .external = preflight_->external};
  manifest.remapped = remapped_;
  manifest.sockets = preflight_->sockets;
  if (dump_) {
    TRY(dump_->WriteStreams(staged_->images()));
    manifest.container = dump_->container();
    manifest.scope = dump_->scope();
  }
  TRY(network_->DescribeIn(manifest, checkpoint_));
  manifest.files = TRY(staged_->Survey(TRY(follower_->Finish())));
  checkpoint_.network_lock = TRY(network_->LockThatStays(manifest, staged_->images()));
  checkpoint_.size_bytes = static_cast<std::int64_t>(manifest.TotalBytes());
  manifest.checkpoint = checkpoint_;
  if (auto placed = staged_->Commit(checkpoint_.id, manifest); !placed.ok()) {
    return errors::ImagesUnwritable(parts_.images.path(), placed.error());
  }
  if (auto written = WriteReady(manifest); !written.ok()) {
    if (auto removed = parts_.images.Remove(checkpoint_.id); !removed.ok()) {
      spdlog::warn("checkpoint={} {}, ignoring until the next start", checkpoint_.id,
                   removed.error().message);
    }
    return written;
  }
  committed_ = true;
  network_->OnCommitted(manifest, checkpoint_);
  return {};
}

Result<void> Checkpointing::WriteReady(const Manifest& manifest) {
  CheckpointRecord ready = checkpoint_;
  TRY(SetState(ready.state, CheckpointState::kReady));
  ready.ready_us = parts_.clock.Wall();
  // Synced with the record of how it ended, before anybody is told: a power cut until then ends the
  // tree as well, and leaves a checkpoint that is still being made.
  Update update = parts_.inventory.NewUpdate();
  update.Put(ready).SyncWithNext();
  TRY(network_->HoldIn(update, manifest, checkpoint_));
  TRY(parts_.inventory.Write(update));
  checkpoint_ = std::move(ready);
  return {};
}

Result<void> Checkpointing::AwaitEnd() {
  if (request_.options.leave_running) return {};
  operation_.Enter("end");
  const Deadline patience = SteadyClock::now() + kEndPatience;
  for (const TreeProcess& process : preflight_->tree.processes()) {
    const auto open = PidFd::Reopen(process.identity());
    if (open.ok() && !open->WaitExit(patience)) return errors::TreeDidNotEnd(process.pid);
  }
  network_->Dismantle();
  return {};
}

Result<OperationRecord> Checkpointing::RecordSuccess() {
  checkpoint_.stages = operation_.stages();
  ContainerRecord container = target_->container;
  container.last_checkpoint_id = checkpoint_.id;
  const bool runs = request_.options.leave_running;
  TRY(SetState(container.state, runs ? ContainerState::kRunning : ContainerState::kCheckpointed));
  if (!runs) container.ended_us = parts_.clock.Wall();
  OperationRecord operation = TRY(operation_.Succeeded(parts_.clock.Wall()));
  TRY(parts_.inventory.Write(
      parts_.inventory.NewUpdate().Amend(checkpoint_).Put(container).Put(operation)));
  if (!runs) {
    parts_.containers.Release(container.id);
  } else if (target_->is_new) {
    parts_.containers.Watch(container.id, std::move(target_->root), /*cgroup=*/"");
  } else {
    parts_.containers.LetGo(container.id);
  }
  return operation;
}

OperationRecord Checkpointing::RecordFailure(Error error) {
  OperationRecord operation = operation_.Failed(std::move(error), parts_.clock.Wall());
  if (network_ && !committed_) network_->Undo(checkpoint_.id);
  // Nothing was written, so there is nothing to undo: only the caller learns of it.
  if (!recorded_) return operation;
  Update update = parts_.inventory.NewUpdate();
  checkpoint_.stages = operation_.stages();
  if (committed_) {
    update.Amend(checkpoint_);
  } else {
    checkpoint_.state = CheckpointState::kFailed;
    checkpoint_.problem = operation.error.message;
    if (target_->is_new) checkpoint_.container_id = {};
    update.Put(checkpoint_);
  }
  ContainerRecord& container = target_->container;
  if (target_->is_new) {
    update.Forget(container.id);
    operation.container_id = {};
  } else {
    container.state = ContainerState::kRunning;
    update.Put(container);
  }
  LogUnwritten(operation, parts_.inventory.Write(update.Put(operation)));
  parts_.containers.LetGo(container.id);
  return operation;
}

}  // namespace

void RunCheckpoint(const EngineParts& parts, Claims& claims, Operation& operation,
                   const CheckpointRequest& request) {
  OperationRecord ended;
  {
    Checkpointing checkpointing(parts, claims, operation, request);
    ended = checkpointing.Run();
  }
  // Only now: whoever asked may ask again at once, and must not meet what this one still had.
  operation.End(std::move(ended));
}

}  // namespace crd
