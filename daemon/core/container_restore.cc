#include "daemon/core/container_restore.h"

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <map>
#include <sstream>
#include <utility>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/base/cgroup_namespace.h"
#include "daemon/base/files.h"
#include "daemon/base/log.h"
#include "daemon/base/proc.h"
#include "daemon/core/errors.h"
#include "daemon/core/process_tree.h"
#include "daemon/runtime/layer.h"
#include "daemon/runtime/mount_flags.h"
#include "daemon/runtime/mount_sources.h"
#include "daemon/runtime/nested_cgroups.h"
#include "daemon/runtime/refusals.h"
#include "daemon/runtime/retarget.h"
#include "daemon/runtime/runtime_state.h"
#include "net/loopback.h"

namespace crd {
namespace {

constexpr auto kKillPatience = std::chrono::seconds(30);
constexpr auto kScopePatience = std::chrono::seconds(25);

Result<void> CheckEmpty(const runtime::SavedContainer& container, const std::string& directory) {
  auto procs = ReadFile(directory + "/cgroup.procs");
  // One of cgroup2 for threads does not tell of processes.
  if (!procs.ok() && procs.error().sys_errno == EOPNOTSUPP) {
    procs = ReadFile(directory + "/cgroup.threads");
  }
  pid_t pid = 0;
  if (std::istringstream(TRY(std::move(procs))) >> pid) {
    return runtime::refusal::CgroupBusy(container.id, directory, pid);
  }
  return {};
}

// systemd makes a unit's cgroup, and knows of none that somebody else makes in its place.
Result<void> CheckCgroup(const runtime::SavedContainer& container,
                         const runtime::CgroupPlace& place, bool has_scope) {
  auto empty = CheckEmpty(container, place.directory);
  if (!empty.ok() && empty.error().code == Code::kNotFound) {
    if (has_scope || !runtime::CgroupsAreManaged(container)) return {};
    return runtime::refusal::CgroupGone(container.id, place.directory);
  }
  TRY(std::move(empty));
  for (const std::string& within : runtime::CgroupsWithin(place.directory)) {
    TRY(CheckEmpty(container, within));
  }
  return {};
}

const runtime::CgroupPlace* PlaceInV2(const runtime::SavedContainer& container) {
  for (const runtime::CgroupPlace& place : container.cgroups) {
    if (place.v2()) return &place;
  }
  return nullptr;
}

Result<void> Move(const std::vector<pid_t>& pids, const std::string& directory) {
  const std::string path = directory + "/cgroup.procs";
  const UniqueFd procs(::open(path.c_str(), O_WRONLY | O_CLOEXEC));
  if (!procs.valid()) return Error::Errno("open '{}'", path);
  for (const pid_t pid : pids) {
    const std::string text = std::to_string(pid);
    // CRIU itself is among them, and may end at any time.
    if (::write(procs.get(), text.data(), text.size()) < 0 && errno != ESRCH) {
      return Error::Errno("move process {} into '{}'", pid, directory);
    }
  }
  return {};
}

Result<bool> LaysLayerDown(const runtime::SavedContainer& container, LayerUse use, bool elsewhere) {
  if (use == LayerUse::kLayDown && !container.layer) return errors::RootfsDiffMissing(container.id);
  return use == LayerUse::kLayDown ||
         (use == LayerUse::kDefault && elsewhere && container.layer.has_value());
}

}  // namespace

Result<ContainerRestore> ContainerRestore::Open(const Manifest& manifest,
                                                const ContainerChoice& choice,
                                                const std::string& name) {
  runtime::SavedContainer container = *manifest.container;
  using Use = runtime::RuntimeRecord::Use;
  const bool renamed = !name.empty() && name != container.id;
  const bool moved = !choice.bundle.empty() || !choice.cgroup_parent.empty();
  std::vector<runtime::CgroupPlace> old_cgroups = container.cgroups;
  const std::string old_bundle = container.bundle;
  container = TRY(runtime::Retarget(std::move(container), {.id = name,
                                                           .bundle = choice.bundle,
                                                           .mounts = choice.mounts,
                                                           .cgroup_parent = choice.cgroup_parent}));
  runtime::RuntimeRecord record = TRY(runtime::RuntimeRecord::Open(
      container, renamed ? Use::kNewName : (moved ? Use::kMoved : Use::kAsItIs)));
  for (const runtime::CgroupPlace& place : container.cgroups) {
    if (place.own) TRY(CheckCgroup(container, place, manifest.scope.has_value()));
  }
  const bool lays_down =
      TRY(LaysLayerDown(container, choice.layer, container.bundle != old_bundle));
  ContainerRestore restore(std::move(container), std::move(old_cgroups), std::move(record));
  restore.scope_ = manifest.scope;
  restore.renamed_ = renamed;
  restore.lays_layer_down_ = lays_down;
  TRY(restore.OpenNamespaces());
  return restore;
}

Result<void> ContainerRestore::OpenNamespaces() {
  const auto open = [](const std::string& path) {
    return UniqueFd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  };
  for (const runtime::JoinedNamespace& joined : container_.joined) {
    UniqueFd opened = open(joined.path);
    if (!opened.valid()) {
      return runtime::refusal::NamespaceGone(container_.id, joined.type, joined.path,
                                             Error::Errno("open it"));
    }
    if (joined.type == "pid") {
      pids_ = std::move(opened);
    } else if (joined.type == "cgroup" || runtime::CriuRunsIn(container_, joined)) {
      entered_.push_back(std::move(opened));
    }
  }
  return {};
}

Result<void> ContainerRestore::LayDownLayer(FdRef images, const GoingOn& going_on) {
  const auto root = OpenDirectory(container_.rootfs);
  if (!root.ok()) {
    return runtime::refusal::RootGone(container_.id, container_.rootfs, root.error());
  }
  const UniqueFd file = TRY(OpenRegularAt(images, std::string(runtime::kLayerFile)));
  laid_down_ = true;
  auto laid = runtime::LayDown(file.ref(), root->ref(), going_on);
  // Who stopped it is told so.
  TRY(going_on());
  if (laid.ok()) return laid;
  return runtime::refusal::RootfsDiffFailed(container_.id, container_.rootfs, laid.error());
}

Error ContainerRestore::Explained(Error error) const {
  std::string also;
  if (laid_down_ && error.reason != "ROOTFS_DIFF_FAILED") {
    also = fmt::format("the writable layer is in '{}' already; to lay it down again does no harm",
                       container_.rootfs);
  } else if (container_.layer && !lays_layer_down_ &&
             (error.reason == "FILE_CHANGED" || error.reason == "FILE_MISSING")) {
    also = "if its root was made anew: --rootfs-diff lays down what the checkpoint holds of it";
  }
  if (also.empty()) return error;
  error.hint = error.hint.empty() ? also : error.hint + "; " + also;
  return error;
}

Result<void> ContainerRestore::MakeCgroups(Children& children) {
  made_cgroups_.emplace(container_.cgroups);
  if (scope_ && !made_cgroups_->all_there()) {
    auto held = systemd::HeldScope::Start(*scope_, children, SteadyClock::now() + kScopePatience);
    if (!held.ok()) return errors::ScopeUnusable(container_.id, scope_->name, held.error());
    held_scope_.emplace(*std::move(held));
  }
  return made_cgroups_->Make(container_.id, container_.cgroups,
                             held_scope_ ? held_scope_->keeper() : 0);
}

Result<void> ContainerRestore::Prepare(FdRef images, const std::string& images_path,
                                       const std::string& directory, Children& children) {
  TRY(MakeCgroups(children));
  root_.emplace(TRY(runtime::ContainerRoot::Mount(container_, directory + "/root")));
  if (!TmpfsInImages(container_).empty()) {
    mounts_.emplace(
        TRY(ContainerMounts::Make(container_, images, images_path, directory + "/mounts")));
  }
  return PrepareCgroupNamespace(images, directory + "/cgroups");
}

// Its own, with its cgroups as roots, unless it had joined one.
Result<void> ContainerRestore::PrepareCgroupNamespace(FdRef images, const std::string& directory) {
  if (!container_.own_cgroups || runtime::Joins(container_, "cgroup")) return {};
  if (!container_.users.empty()) {
    cgroup_yard_.emplace(TRY(criu::CgroupYard::Make(images, directory)));
    return {};
  }
  std::vector<std::string> roots;
  for (const runtime::CgroupPlace& place : container_.cgroups) {
    if (!place.directory.empty()) roots.push_back(place.directory);
  }
  entered_.push_back(TRY(MakeCgroupNamespace(roots)));
  return {};
}

Result<std::optional<Cgroup>> ContainerRestore::OwnCgroup() const {
  const runtime::CgroupPlace* place = PlaceInV2(container_);
  if (place == nullptr || !place->own) return std::optional<Cgroup>();
  const std::size_t slash = place->directory.rfind('/');
  return std::optional(
      TRY(Cgroup::Create(place->directory.substr(0, slash), place->directory.substr(slash + 1))));
}

Result<std::string> ContainerRestore::OpenConsole(const CheckpointId& checkpoint,
                                                  const RestoreRequest& request,
                                                  std::string own_log) {
  const std::string& socket = request.container.console_socket;
  if (!container_.console) {
    if (!socket.empty()) return errors::NoConsole(checkpoint);
    return std::string();
  }
  if (!socket.empty()) {
    console_ = TRY(RestoreConsole::ToSocket(socket, request.container.caller));
  } else if (const auto* log = std::get_if<StdioToLog>(&request.stdio); log == nullptr) {
    return errors::ConsoleNotStdio(checkpoint);
  } else if (log->path.empty()) {
    console_ = TRY(RestoreConsole::ToLog(std::move(own_log), Credentials{}));
  } else {
    console_ = TRY(RestoreConsole::ToLog(log->path, log->caller));
  }
  return console_->log_path();
}

Result<void> ContainerRestore::ApplyTo(criu::RestoreRequest& request) {
  if (cgroup_yard_) request.cgroup_yard = cgroup_yard_->path();
  if (mounts_) request.images = mounts_->images();
  if (!container_.users.empty()) {
    entered_.push_back(TRY(runtime::ShowMountSources(container_.id, container_.mounts)));
  }
  for (const UniqueFd& one : entered_) request.namespaces.push_back(one.ref());
  for (const runtime::JoinedNamespace& joined : container_.joined) {
    if (joined.type == "pid") {
      request.inherit.emplace_back(runtime::kPidKey, pids_.ref());
    } else if (joined.type != "cgroup" && !runtime::CriuRunsIn(container_, joined)) {
      request.join.emplace_back(joined.type, joined.path);
    }
  }
  if (root_) request.root = root_->path();
  for (std::string& external : runtime::ExternalForRestore(container_)) {
    request.external.push_back(std::move(external));
  }
  if (container_.own_network) request.empty_netns = true;
  if (console_) {
    request.take_console = [this](UniqueFd master) { return console_->Take(std::move(master)); };
  }
  request.evasive_devices = true;
  for (const runtime::CgroupPlace& place : container_.cgroups) {
    // Also those that it shared: crd itself may be elsewhere.
    if (!place.v2() && !place.directory.empty()) request.cgroups_v1.push_back(place.directory);
  }
  return {};
}

Result<void> ContainerRestore::SetUpNamespaces(pid_t root) {
  TRY(RootCgroupNamespace(root));
  return BringLoopbackUp(root);
}

// The root is where CRIU is, which is where it belongs, unless its cgroup2 is not its own: then it
// is in one of crd's.
Result<void> ContainerRestore::RootCgroupNamespace(pid_t root) {
  const runtime::CgroupPlace* place = PlaceInV2(container_);
  if (!cgroup_yard_ || place == nullptr || place->own || place->directory.empty()) return {};
  outside_ = TRY(PidFd::Open(root));
  return Move({root}, place->directory);
}

Result<void> ContainerRestore::BringLoopbackUp(pid_t root) const {
  if (!container_.own_network || !container_.loopback_up) return {};
  const std::string path = fmt::format("/proc/{}/ns/net", root);
  const UniqueFd inside(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!inside.valid()) return Error::Errno("open '{}'", path);
  return net::BringLoopbackUp(inside.ref());
}

Result<void> ContainerRestore::PlaceInNested(pid_t root, const std::string& aside) const {
  const bool any = std::any_of(container_.cgroups.begin(), container_.cgroups.end(),
                               [](const runtime::CgroupPlace& place) {
                                 return !place.nested.empty() || !place.subtree_control.empty();
                               });
  if (!any) return {};
  std::map<pid_t, pid_t> pids;
  const ProcessTree tree = TRY(ReadProcessTree(root));
  for (const TreeProcess& process : tree.processes()) {
    if (const auto inner = proc::ReadInnermostPid(process.pid); inner.ok()) {
      pids.emplace(*inner, process.pid);
    }
  }
  auto placed = runtime::PlaceProcesses(container_.cgroups, pids, aside);
  if (placed.ok()) return placed;
  return runtime::refusal::CgroupUnusable(container_.id, container_.id, placed.error());
}

Result<void> ContainerRestore::Adopt(const ProcessIdentity& root, const Cgroup* made_for_restore,
                                     const std::string& aside, Children& children) {
  TRY(runtime::RepairMountFlags(root.pid, container_.mounts));
  const runtime::CgroupPlace* place = PlaceInV2(container_);
  if (made_for_restore != nullptr && place != nullptr && !place->directory.empty()) {
    TRY(Move(TRY(made_for_restore->Pids()), place->directory));
  }
  // The tree is in it now, and whatever it is to have within.
  held_scope_.reset();
  TRY(PlaceInNested(root.pid, aside));
  TRY(record_.Name(root));
  return console_ ? console_->HandOver(children) : Result<void>();
}

void ContainerRestore::Undo() {
  record_.Undo();
  if (!outside_) return;
  // With it ends its pid namespace.
  static_cast<void>(outside_->Signal(SIGKILL));
  if (!outside_->WaitExit(SteadyClock::now() + kKillPatience)) {
    spdlog::error("container '{}': process {} does not end", container_.id, outside_->pid());
  }
}

void ContainerRestore::Keep() {
  if (made_cgroups_) made_cgroups_->Keep();
  if (renamed_) return;
  // Its runtime does not know any more that these were its own.
  for (std::size_t i = 0; i < old_cgroups_.size(); ++i) {
    const std::string& old = old_cgroups_[i].directory;
    if (!old_cgroups_[i].own || old == container_.cgroups[i].directory) continue;
    for (const std::string& one : runtime::InnermostFirst(old)) {
      if (::rmdir(one.c_str()) == 0 || errno == ENOENT) continue;
      spdlog::warn("{}, ignoring", Error::Errno("remove the cgroup '{}'", one).message);
    }
  }
}

pid_t ContainerRestore::HostPid(pid_t root, pid_t inner) const {
  if (!container_.own_pids) return inner;
  const auto tree = ReadProcessTree(root);
  if (!tree.ok()) return root;
  for (const TreeProcess& process : tree->processes()) {
    if (const auto pid = proc::ReadInnermostPid(process.pid); pid.ok() && *pid == inner) {
      return process.pid;
    }
  }
  return root;
}

}  // namespace crd
