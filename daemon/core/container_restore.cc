#include "daemon/core/container_restore.h"

#include <utility>

#include <fcntl.h>

#include "daemon/base/files.h"
#include "daemon/base/proc.h"
#include "daemon/core/errors.h"
#include "daemon/core/process_tree.h"
#include "daemon/runtime/layer.h"
#include "daemon/runtime/mount_flags.h"
#include "daemon/runtime/mount_sources.h"
#include "daemon/runtime/refusals.h"
#include "daemon/runtime/retarget.h"
#include "net/loopback.h"
#include "net/netns.h"

namespace crd {
namespace {

Result<bool> LaysLayerDown(const runtime::SavedContainer& container, LayerUse use, bool elsewhere) {
  if (use == LayerUse::kLayDown && !container.layer) return errors::RootfsDiffMissing(container.id);
  return use == LayerUse::kLayDown ||
         (use == LayerUse::kDefault && elsewhere && container.layer.has_value());
}

}  // namespace

Result<ContainerRestore> ContainerRestore::Open(const Manifest& manifest,
                                                const ContainerChoice& choice,
                                                const std::string& name) {
  using Use = runtime::RuntimeRecord::Use;
  const bool renamed = !name.empty() && name != manifest.container->id;
  const bool moved = !choice.bundle.empty() || !choice.cgroup_parent.empty();
  runtime::SavedContainer container =
      TRY(runtime::Retarget(*manifest.container, {.id = name,
                                                  .bundle = choice.bundle,
                                                  .mounts = choice.mounts,
                                                  .cgroup_parent = choice.cgroup_parent}));
  runtime::RuntimeRecord record = TRY(runtime::RuntimeRecord::Open(
      container, renamed ? Use::kNewName : (moved ? Use::kMoved : Use::kAsItIs)));
  RestoreCgroups cgroups = TRY(RestoreCgroups::Open(container, manifest));
  const bool lays_down =
      TRY(LaysLayerDown(container, choice.layer, container.bundle != manifest.container->bundle));
  ContainerRestore restore(std::move(container), std::move(cgroups), std::move(record));
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
    } else if (runtime::CriuRestoresIn(container_, joined)) {
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

Result<void> ContainerRestore::Prepare(FdRef images, const std::string& images_path,
                                       const std::string& directory, Children& children) {
  TRY(cgroups_.Make(images, directory + "/cgroups", children));
  root_.emplace(TRY(runtime::ContainerRoot::Mount(container_, directory + "/root")));
  if (!TmpfsInImages(container_).empty()) {
    mounts_.emplace(
        TRY(ContainerMounts::Make(container_, images, images_path, directory + "/mounts")));
  }
  return {};
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
  cgroups_.ApplyTo(request);
  if (mounts_) request.images = mounts_->images();
  if (!container_.users.empty()) {
    entered_.push_back(TRY(runtime::ShowMountSources(container_.id, container_.mounts)));
  }
  for (const UniqueFd& one : entered_) request.namespaces.push_back(one.ref());
  for (const runtime::JoinedNamespace& joined : container_.joined) {
    if (joined.type == "pid") {
      request.inherit.emplace_back(runtime::kPidKey, pids_.ref());
    } else if (!runtime::CriuRestoresIn(container_, joined)) {
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
  return {};
}

Result<void> ContainerRestore::SetUpNamespaces(pid_t root) {
  TRY(cgroups_.RootNamespace(root));
  if (!container_.own_network || !container_.loopback_up) return {};
  const UniqueFd inside = TRY(net::OpenNetns(fmt::format("/proc/{}/ns/net", root)));
  return net::BringLoopbackUp(inside.ref());
}

Result<void> ContainerRestore::Adopt(const ProcessIdentity& root, const Cgroup* made_for_restore,
                                     const std::string& aside, Children& children) {
  TRY(runtime::RepairMountFlags(root.pid, container_.mounts));
  TRY(cgroups_.Adopt(root.pid, made_for_restore, aside));
  TRY(record_.Name(root));
  return console_ ? console_->HandOver(children) : Result<void>();
}

void ContainerRestore::Undo() {
  record_.Undo();
  cgroups_.Undo();
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
