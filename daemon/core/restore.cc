#include "daemon/core/restore.h"

#include <chrono>
#include <optional>
#include <thread>
#include <utility>

#include "daemon/base/cgroup.h"
#include "daemon/base/files.h"
#include "daemon/base/log.h"
#include "daemon/core/container_restore.h"
#include "daemon/core/damage.h"
#include "daemon/core/errors.h"
#include "daemon/core/link_remaps.h"
#include "daemon/core/process_tree.h"
#include "daemon/core/restore_endpoints.h"
#include "daemon/core/restore_network.h"
#include "daemon/core/restore_pids.h"
#include "daemon/core/stdio.h"
#include "daemon/core/tcp_pause.h"
#include "daemon/core/timers.h"
#include "daemon/core/verify.h"

namespace crd {
namespace {

// What the kernel takes to clean up after a namespace that has ended.
constexpr auto kNamespacePatience = std::chrono::seconds(10);
constexpr auto kKillPatience = std::chrono::seconds(30);

Result<void> Empty(const Cgroup& cgroup, Deadline patience) {
  TRY(cgroup.Kill());
  return cgroup.WaitEmpty(patience);
}

class Restoring {
 public:
  Restoring(const EngineParts& parts, Claims& claims, Operation& operation,
            const RestoreRequest& request)
      : parts_(parts), operation_(operation), request_(request), claim_(claims, operation.id()) {}

  // How it ended, written to the inventory where anything was.
  OperationRecord Run();

 private:
  Result<void> Prepare();
  Result<void> OpenImages();
  Result<void> Record();
  Result<void> WriteBeginning();
  Result<void> PrepareRoot();
  Result<void> Restore();
  Result<void> ChooseCgroup();
  Result<void> OnStage(criu::RestoreStage stage, pid_t root);
  Result<void> Adopt(pid_t root);
  Result<OperationRecord> RecordSuccess();
  void KillHalfMade();
  OperationRecord RecordFailure(Error error);

  const EngineParts& parts_;
  Operation& operation_;
  const RestoreRequest& request_;
  Claim claim_;

  CheckpointRecord checkpoint_;
  std::optional<StoredCheckpoint> stored_;
  std::optional<Verification> verification_;
  std::optional<RestorePids> pids_;
  ContainerRecord container_;
  std::string path_;    // of the container's directory, which its log is in
  UniqueFd directory_;  // the same, open
  std::optional<RestoreStdio> stdio_;
  std::optional<ContainerRestore> container_restore_;  // of an OCI container
  std::optional<Cgroup> cgroup_;
  std::optional<LentLinkRemaps> lent_;
  bool cgroup_is_runtimes_ = false;
  std::optional<RestoreEndpoints> endpoints_;
  std::optional<RestoreNetwork> network_;
  std::optional<TcpPause> pause_;  // that the peers of its connections make
  std::optional<PidFd> root_;
  bool recorded_ = false;
};

OperationRecord Restoring::Run() {
  auto done = Prepare();
  if (done.ok()) done = Record();
  if (done.ok()) done = PrepareRoot();
  if (done.ok()) done = endpoints_->DismantleIfUseless();
  if (done.ok()) done = Restore();
  if (!done.ok()) return RecordFailure(std::move(done).error());
  auto ended = RecordSuccess();
  return ended.ok() ? std::move(*ended) : RecordFailure(std::move(ended).error());
}

Result<void> Restoring::Prepare() {
  operation_.Enter("verify");
  if (!parts_.criu.problem().empty())
    return errors::CriuUnusable(parts_.criu.path(), parts_.criu.problem());
  if (!request_.name.empty() && !IsValidName(request_.name)) {
    return errors::InvalidName("container", request_.name);
  }
  checkpoint_ = TRY(parts_.inventory.FindCheckpoint(request_.checkpoint));
  TRY(claim_.ReadCheckpoint(checkpoint_.id));
  // Again, now that nobody can remove it.
  checkpoint_ = TRY(parts_.inventory.FindCheckpoint(checkpoint_.id.str()));
  if (checkpoint_.state != CheckpointState::kReady) {
    return errors::CheckpointNotReady(checkpoint_.id, checkpoint_.state, checkpoint_.problem);
  }
  if (checkpoint_.options.tcp_established && !request_.tcp_established && !request_.tcp_close) {
    return errors::TcpNotAllowed(checkpoint_.id);
  }
  TRY(OpenImages());
  TRY(RestoreNetwork::CheckChoice(stored_->manifest, request_.network));
  endpoints_.emplace(parts_, stored_->manifest, checkpoint_, request_);
  if (stored_->manifest.container) {
    container_restore_.emplace(
        TRY(ContainerRestore::Open(stored_->manifest, request_.container, request_.name)));
    const std::string& state = container_restore_->state_path();
    if (!state.empty()) TRY(claim_.RuntimeContainer(state));
  }
  if (!stored_->manifest.container && !request_.container.empty()) {
    return errors::NotAContainer(checkpoint_.id);
  }
  pids_.emplace(parts_, checkpoint_, operation_.deadline());
  // In a pid namespace that is made for them they are free.
  if (!stored_->manifest.container || !stored_->manifest.container->own_pids) {
    TRY(pids_->Take(stored_->images.ref(), claim_));
  } else if (container_restore_->shares_pids()) {
    TRY(pids_->AwaitOldRoot());
  }
  return operation_.CheckGoingOn();
}

Result<void> Restoring::OpenImages() {
  auto stored = parts_.images.Open(checkpoint_.id);
  if (!stored.ok()) {
    if (stored.error().code != Code::kDataLoss && stored.error().code != Code::kNotFound)
      return std::move(stored).error();
    return RecordDamage(parts_.inventory, checkpoint_.id,
                        {{.file = "manifest.json", .what = stored.error().message}});
  }
  stored_.emplace(std::move(*stored));
  verification_.emplace(*stored_);
  if (!verification_->first().empty())
    return RecordDamage(parts_.inventory, checkpoint_.id, verification_->first());
  return {};
}

Result<void> Restoring::Record() {
  operation_.Enter("record");
  container_ = {.id = NewId<ContainerId>(),
                .name = request_.name,
                .state = ContainerState::kRestoring,
                .process = {.pid = checkpoint_.pid, .start_time = 0},
                .boot_id = parts_.boot_id,
                .command = checkpoint_.command,
                .parent_checkpoint_id = checkpoint_.id,
                .created_us = parts_.clock.Wall()};
  operation_.SetCheckpoint(checkpoint_.id);
  operation_.SetContainer(container_.id);
  path_ = fmt::format("{}/containers/{}", parts_.state_directory, container_.id);
  TRY(MakeDirectories(path_));
  directory_ = TRY(OpenDirectory(path_));
  recorded_ = true;
  const std::string own_log = path_ + "/output.log";
  stdio_ =
      TRY(RestoreStdio::Open(checkpoint_.id, stored_->manifest.stdio, request_.stdio, own_log));
  container_.log_path = stdio_->log_path();
  if (container_restore_) {
    const std::string log = TRY(container_restore_->OpenConsole(checkpoint_.id, request_, own_log));
    if (!log.empty()) container_.log_path = log;
  }
  return WriteBeginning();
}

Result<void> Restoring::WriteBeginning() {
  // Of a restore that a power cut ends nothing is left but its directory, which the next start
  // removes.
  for (int attempt = 1;; ++attempt) {
    Update update = parts_.inventory.NewUpdate();
    update.Put(container_).Put(operation_.record()).SyncWithNext();
    TRY(endpoints_->Claim(container_.id, update));
    auto written = parts_.inventory.Write(update);
    if (written.ok()) return {};
    if (attempt == Reservations::kFreeAttempts || !endpoints_->MayChooseAgain(written.error()))
      return written;
  }
}

// Of a container. Once its addresses are its own: what is laid down in a root is not taken back.
Result<void> Restoring::PrepareRoot() {
  if (!container_restore_) return {};
  // Before anything is mounted for it: mountpoints may be in what is laid down.
  if (container_restore_->lays_layer_down()) {
    operation_.Enter("rootfs");
    TRY(container_restore_->LayDownLayer(stored_->images.ref(),
                                         [this] { return operation_.CheckGoingOn(); }));
  }
  return container_restore_->Prepare(stored_->images.ref(),
                                     parts_.images.Path(checkpoint_.id) + "/images", path_,
                                     parts_.children);
}

Result<void> Restoring::Restore() {
  operation_.Enter("network");
  const Deadline patience =
      std::min(operation_.deadline(), SteadyClock::now() + kNamespacePatience);
  network_.emplace(TRY(RestoreNetwork::Prepare(stored_->manifest, endpoints_->choice(),
                                               request_.tcp_close, patience)));
  operation_.Enter("restore");
  TRY(ChooseCgroup());
  const criu::DumpOptions& options = checkpoint_.options;
  criu::RestoreRequest request{.images = stored_->images.ref(),
                               .work = directory_.ref(),
                               .tcp_established = options.tcp_established && !request_.tcp_close,
                               .tcp_close = request_.tcp_close,
                               .file_locks = options.file_locks,
                               .ext_unix_sk = options.ext_unix_sk,
                               .shell_job = options.shell_job,
                               .link_remap = options.link_remap,
                               .external = stored_->manifest.external,
                               .cgroup = cgroup_->directory(),
                               .deadline = operation_.deadline()};
  if (container_restore_ && !container_restore_->users().empty()) {
    TRY(stdio_->HandOver(container_restore_->users(), stored_->images.ref()));
  }
  stdio_->ApplyTo(request);
  lent_.emplace(TRY(LentLinkRemaps::Lend(checkpoint_.id, stored_->manifest.remapped)));
  if (container_restore_) TRY(container_restore_->ApplyTo(request));
  network_->ApplyTo(request);
  auto report = parts_.criu.Restore(
      request, [this](criu::RestoreStage stage, pid_t root) { return OnStage(stage, root); },
      operation_.cancel());
  if (!report.ok()) return errors::StoppedAt(operation_.record().stage, std::move(report).error());
  if (!root_.has_value()) return Error::Internal("CRIU restored a tree without saying its pid");
  return {};
}

// A container's own cgroup2 is emptied when the restore fails; any other tree gets one of crd's.
Result<void> Restoring::ChooseCgroup() {
  if (container_restore_) cgroup_ = TRY(container_restore_->OwnCgroup());
  cgroup_is_runtimes_ = cgroup_.has_value();
  if (!cgroup_) {
    cgroup_.emplace(TRY(Cgroup::Create(parts_.cgroup_base, "ct-" + container_.id.str())));
  }
  return {};
}

Result<void> Restoring::OnStage(criu::RestoreStage stage, pid_t root) {
  if (stage == criu::RestoreStage::kSetupNamespaces) {
    TRY(network_->Fill(root));
    return container_restore_ ? container_restore_->SetUpNamespaces(root) : Result<void>();
  }
  const pid_t adopted = root_.has_value() ? root_->pid() : root;
  // Only now: until then nothing may reach sockets that are half there, or be answered for them.
  if (stage == criu::RestoreStage::kNetworkUnlock) return network_->Plug(adopted);
  // The lock is gone, and CRIU is done with the sockets. Where it runs in the namespace itself it
  // has told nothing until now.
  if (stage == criu::RestoreStage::kPreResume) {
    TRY(network_->Plug(adopted));
    if (pause_) pause_->End(parts_.clock.Wall() - checkpoint_.created_us);
  }
  if (stage != criu::RestoreStage::kPostRestore) return {};
  operation_.Enter("adopt");
  if (const auto damages = verification_->Finish(); !damages.empty())
    return RecordDamage(parts_.inventory, checkpoint_.id, damages);
  TRY(network_->CheckAlone());
  TRY(Adopt(root));
  TRY(stdio_->SetAppend([&](pid_t pid) {
    return container_restore_ ? container_restore_->HostPid(root, pid) : pid;
  }));
  TRY(stdio_->KeepTerminal());
  TRY(SetTimersGoing(root, stored_->images.ref()));
  if (checkpoint_.options.tcp_established && !request_.tcp_close) {
    pause_ = TcpPause::Of(TRY(ReadProcessTree(root)));
  }
  TRY(operation_.CheckGoingOn());
  if (!container_restore_) return {};
  return container_restore_->Adopt(root_->identity(), cgroup_is_runtimes_ ? nullptr : &*cgroup_,
                                   parts_.cgroup_base, parts_.children);
}

Result<void> Restoring::Adopt(pid_t root) {
  parts_.children.Adopt(root);
  root_ = TRY(PidFd::Open(root));
  container_.process = root_->identity();
  // Written before anything runs: should crd die now, its next start finds whose tree that is.
  return parts_.inventory.Write(parts_.inventory.NewUpdate().Put(container_).SyncWithNext());
}

Result<OperationRecord> Restoring::RecordSuccess() {
  TRY(SetState(container_.state, ContainerState::kRunning));
  container_.started_us = parts_.clock.Wall();
  OperationRecord operation = TRY(operation_.Succeeded(parts_.clock.Wall()));
  TRY(parts_.inventory.Write(parts_.inventory.NewUpdate().Put(container_).Put(operation)));
  network_->Keep();
  endpoints_->LetGo(operation_.id());
  if (container_restore_) container_restore_->Keep();
  // The runtime removes its cgroup itself.
  parts_.containers.Watch(container_.id, std::move(*root_),
                          cgroup_is_runtimes_ ? "" : cgroup_->path());
  return operation;
}

void Restoring::KillHalfMade() {
  if (container_restore_) container_restore_->Undo();
  if (root_.has_value()) parts_.children.Disown(root_->pid());
  if (cgroup_.has_value()) {
    const Deadline patience = SteadyClock::now() + kKillPatience;
    auto destroyed = cgroup_is_runtimes_ ? Empty(*cgroup_, patience) : cgroup_->Destroy(patience);
    if (destroyed.ok() && !container_restore_) destroyed = pids_->AwaitFree(patience);
    if (!destroyed.ok()) {
      spdlog::error("op={} end what the restore left behind: {}", operation_.id(),
                    destroyed.error().message);
    }
  }
}

OperationRecord Restoring::RecordFailure(Error error) {
  if (container_restore_) error = container_restore_->Explained(std::move(error));
  KillHalfMade();
  network_.reset();
  OperationRecord operation = operation_.Failed(std::move(error), parts_.clock.Wall());
  operation.container_id = {};
  if (recorded_) {
    stdio_.reset();
    container_restore_.reset();
    if (auto containers = OpenDirectory(parts_.state_directory + "/containers"); containers.ok()) {
      static_cast<void>(RemoveTreeAt(containers->ref(), container_.id.str()));
    }
    Update update = parts_.inventory.NewUpdate();
    auto written = parts_.reservations.GiveBack(container_.id, update);
    if (written.ok()) written = parts_.inventory.Write(update.Forget(container_.id).Put(operation));
    LogUnwritten(operation, written);
  }
  return operation;
}

}  // namespace

void RunRestore(const EngineParts& parts, Claims& claims, Operation& operation,
                const RestoreRequest& request) {
  OperationRecord ended;
  {
    Restoring restoring(parts, claims, operation, request);
    ended = restoring.Run();
  }
  // Only now: whoever asked may ask again at once, and must not meet what this one still had.
  operation.End(std::move(ended));
}

}  // namespace crd
