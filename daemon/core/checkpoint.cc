#include "daemon/core/checkpoint.h"

#include <algorithm>
#include <chrono>
#include <csignal>
#include <optional>
#include <utility>

#include <fmt/ranges.h>

#include "daemon/base/log.h"
#include "daemon/core/container_dump.h"
#include "daemon/core/dump_cure.h"
#include "daemon/core/ending_network.h"
#include "daemon/core/errors.h"
#include "daemon/core/image_follower.h"
#include "daemon/core/link_remaps.h"
#include "daemon/core/network_lock.h"
#include "daemon/core/preflight.h"
#include "daemon/core/target.h"
#include "daemon/core/tcp_pause.h"
#include "daemon/criu/images.h"
#include "daemon/runtime/execed.h"
#include "net/netns.h"

namespace crd {
namespace {

// A killed tree of many GiB takes a while to give its memory back.
constexpr auto kEndPatience = std::chrono::seconds(30);
// Between the signal and the end of a process, on a busy host.
constexpr auto kKilledPatience = std::chrono::seconds(2);
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
  Result<void> Commit();
  Result<void> DescribeNetwork(Manifest& manifest);
  Result<void> PinNetwork(Manifest& manifest);
  Result<void> HoldEndpoints(const Manifest& manifest, Update& update);
  Result<void> OnCriuKilled(Error error);
  [[nodiscard]] bool EndWhatIsLeft() const;
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
  CheckpointRecord checkpoint_;
  std::optional<StagedCheckpoint> staged_;
  std::vector<RemappedFile> remapped_;
  std::optional<ImageFollower> follower_;
  std::optional<EndingNetwork> ending_network_;
  std::optional<TcpPause> pause_;  // that the peers of its connections make
  bool recorded_ = false;
  bool committed_ = false;
  bool pinned_ = false;
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
    dump_.emplace(TRY(ContainerDump::Prepare(*std::move(inspected.container), inspected.streams)));
  }
  std::vector<pid_t> pids;
  for (const TreeProcess& process : preflight_->tree.processes()) pids.push_back(process.pid);
  TRY(claim_.Pids(pids));
  if (preflight_->network) {
    TRY(parts_.reservations.CheckHold(preflight_->network->description, target_->container.id));
  }
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
  const bool by_criu = request_.options.network == criu::NetworkSaving::kCriu;
  if (preflight_->network.has_value() && !by_criu)
    request.external.push_back(ExternalNetwork(*preflight_->network));
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
  if (committed_ && EndWhatIsLeft()) {
    spdlog::warn("op={} {}; the checkpoint was complete, and crd ended the rest of the tree",
                 operation_.id(), error.message);
    return {};
  }
  CureAfterKilledDump(preflight_->tree.processes(), staged_->work());
  return errors::StoppedAt(operation_.record().stage, std::move(error));
}

// CRIU ends a tree process by process, its root first (criu 4.2, seize.c: pstree_switch_state). One
// that was killed meanwhile leaves half a tree, which is neither what runs nor what was dumped.
// False if nothing of it had ended: then it runs on.
bool Checkpointing::EndWhatIsLeft() const {
  const auto root = PidFd::Reopen(target_->root.identity());
  // What is killed has not ended yet.
  if (root.ok() && !root->WaitExit(SteadyClock::now() + kKilledPatience)) return false;
  for (const TreeProcess& process : preflight_->tree.processes()) {
    const auto left = PidFd::Reopen(process.identity());
    if (left.ok()) static_cast<void>(left->Signal(SIGKILL));
  }
  return true;
}

Result<void> Checkpointing::OnStage(criu::DumpStage stage) {
  if (stage == criu::DumpStage::kPreDump && dump_) return dump_->Freeze();
  const bool disconnects = request_.options.tcp_established && !request_.options.leave_running;
  if (stage == criu::DumpStage::kNetworkLock && disconnects) {
    pause_ = TcpPause::Of(preflight_->tree);
    pause_->Begin();
  }
  // Of a dump that failed: the tree goes on.
  if (stage == criu::DumpStage::kNetworkUnlock && pause_) pause_->End(0);
  if (stage != criu::DumpStage::kPostDump) return {};
  TRY(operation_.CheckGoingOn());
  const bool has_terminal =
      std::any_of(preflight_->stdio.begin(), preflight_->stdio.end(),
                  [](const StdioLink& link) { return link.kind == StdioLink::Kind::kTerminal; });
  if (has_terminal) TRY(criu::ForgetTerminalSessions(staged_->images()));
  if (dump_) TRY(dump_->SaveMounts(checkpoint_.pid, staged_->images()));
  if (dump_ && dump_->saves_rootfs()) {
    operation_.Enter("rootfs");
    auto saved = dump_->SaveRootfs(staged_->images(), [this] { return operation_.CheckGoingOn(); });
    if (!saved.ok() && saved.error().code == Code::kResourceExhausted)
      return errors::ImagesUnwritable(parts_.images.path(), saved.error());
    TRY(std::move(saved));
  }
  if (request_.options.link_remap)
    remapped_ = TRY(TakeLinkRemaps(staged_->work(), checkpoint_.id, staged_->images()));
  return request_.options.leave_running ? Result<void>() : Commit();
}

Result<void> Checkpointing::Commit() {
  operation_.Enter("commit");
  Manifest manifest{.stdio = preflight_->stdio, .external = preflight_->external};
  manifest.remapped = remapped_;
  manifest.sockets = preflight_->sockets;
  if (dump_) {
    TRY(dump_->WriteStreams(staged_->images()));
    manifest.container = dump_->container();
  }
  TRY(DescribeNetwork(manifest));
  TRY(PinNetwork(manifest));
  manifest.files = TRY(staged_->Survey(TRY(follower_->Finish())));
  if (request_.options.tcp_established && !request_.options.leave_running) {
    checkpoint_.network_lock = TRY(NetworkLockOf(manifest, staged_->images()));
    if (pinned_) TRY(OpenLockForNeighbours(checkpoint_.network_lock, LockedNetns(manifest)));
  }
  checkpoint_.size_bytes = static_cast<std::int64_t>(manifest.TotalBytes());
  manifest.checkpoint = checkpoint_;
  if (auto placed = staged_->Commit(checkpoint_.id, manifest); !placed.ok()) {
    return errors::ImagesUnwritable(parts_.images.path(), placed.error());
  }
  CheckpointRecord ready = checkpoint_;
  TRY(SetState(ready.state, CheckpointState::kReady));
  ready.ready_us = parts_.clock.Wall();
  // Synced with the record of how it ended, before anybody is told: a power cut until then ends the
  // tree as well, and leaves a checkpoint that is still being made.
  Update update = parts_.inventory.NewUpdate();
  auto written = HoldEndpoints(manifest, update.Put(ready).SyncWithNext());
  if (written.ok()) written = parts_.inventory.Write(update);
  if (!written.ok()) {
    if (auto removed = parts_.images.Remove(checkpoint_.id); !removed.ok()) {
      spdlog::warn("checkpoint={} {}, ignoring until the next start", checkpoint_.id,
                   removed.error().message);
    }
    return written;
  }
  checkpoint_ = std::move(ready);
  committed_ = true;
  if (request_.options.tcp_established && manifest.network && manifest.network->path.empty())
    ending_network_.emplace(checkpoint_.pid, manifest.network->description);
  if (manifest.network.has_value() && request_.reserve_for.count() > 0)
    parts_.reservations.ScheduleExpiry(parts_.clock.Wall() + request_.reserve_for.count());
  return {};
}

// Again: what the tree had of its network when it was frozen is what belongs to its memory.
Result<void> Checkpointing::DescribeNetwork(Manifest& manifest) {
  if (!preflight_->network.has_value()) return {};
  manifest.network = TRY(ReadTreeNetwork(checkpoint_.pid));
  if (!manifest.network.has_value() || manifest.network->inode != preflight_->network->inode) {
    return errors::NetworkChanged(checkpoint_.pid);
  }
  manifest.network->path = preflight_->network->path;
  manifest.network->joined = preflight_->network->joined;
  manifest.network->key = preflight_->network->key;
  return CheckReproducible(*manifest.network, request_.options.network);
}

// It is the path by which the namespace is found again, unless somebody keeps it himself.
Result<void> Checkpointing::PinNetwork(Manifest& manifest) {
  auto& network = manifest.network;
  // One that CRIU makes again would find its names taken.
  const bool by_criu = request_.options.network == criu::NetworkSaving::kCriu;
  if (request_.keeping != Keeping::kHold || request_.options.leave_running || !network || by_criu ||
      !network->path.empty() || !Reservations::HasEndpoints(network->description)) {
    return {};
  }
  const UniqueFd netns = TRY(net::OpenNetns(fmt::format("/proc/{}/ns/net", checkpoint_.pid)));
  TRY(parts_.pins.Pin(checkpoint_.id, netns.ref()));
  pinned_ = true;
  network->path = parts_.pins.Path(checkpoint_.id);
  return {};
}

Result<void> Checkpointing::HoldEndpoints(const Manifest& manifest, Update& update) {
  if (!manifest.network.has_value()) return {};
  return parts_.reservations.Hold(manifest.network->description,
                                  {.checkpoint = checkpoint_,
                                   .keeping = pinned_ ? Keeping::kHold : Keeping::kRelease,
                                   .runs_on = request_.options.leave_running,
                                   .reserve_for = request_.reserve_for},
                                  update);
}

Result<void> Checkpointing::AwaitEnd() {
  if (request_.options.leave_running) return {};
  operation_.Enter("end");
  const Deadline patience = SteadyClock::now() + kEndPatience;
  for (const TreeProcess& process : preflight_->tree.processes()) {
    const auto open = PidFd::Reopen(process.identity());
    if (open.ok() && !open->WaitExit(patience)) return errors::TreeDidNotEnd(process.pid);
  }
  if (ending_network_) ending_network_->Dismantle();
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
  if (pinned_ && !committed_) {
    // The tree goes on in it.
    if (auto unpinned = parts_.pins.Unpin(checkpoint_.id); !unpinned.ok())
      spdlog::warn("op={} {}, ignoring until the next start", operation_.id(),
                   unpinned.error().message);
  }
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
