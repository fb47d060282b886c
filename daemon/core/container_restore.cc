#include "daemon/core/container_restore.h"

#include <charconv>
#include <sstream>
#include <utility>

#include <fcntl.h>

#include "daemon/base/files.h"
#include "daemon/base/proc.h"
#include "daemon/core/process_tree.h"
#include "daemon/runtime/mount_flags.h"
#include "daemon/runtime/refusals.h"
#include "net/loopback.h"

namespace crd {
namespace {

Result<void> CheckCgroup(const runtime::SavedContainer& container,
                         const runtime::CgroupPlace& place) {
  const auto procs = ReadFile(place.directory + "/cgroup.procs");
  if (!procs.ok() && procs.error().code == Code::kNotFound) {
    return runtime::refusal::CgroupGone(container.id, place.directory);
  }
  if (!procs.ok()) return procs.error();
  pid_t pid = 0;
  if (std::istringstream(*procs) >> pid) {
    return runtime::refusal::CgroupBusy(container.id, place.directory, pid);
  }
  return {};
}

const runtime::CgroupPlace* PlaceInV2(const runtime::SavedContainer& container) {
  for (const runtime::CgroupPlace& place : container.cgroups) {
    if (place.v2()) return &place;
  }
  return nullptr;
}

Result<void> MoveAll(const Cgroup& from, const std::string& directory) {
  const std::string path = directory + "/cgroup.procs";
  const UniqueFd procs(::open(path.c_str(), O_WRONLY | O_CLOEXEC));
  if (!procs.valid()) return Error::Errno("open '{}'", path);
  for (const pid_t pid : TRY(from.Pids())) {
    const std::string text = std::to_string(pid);
    // CRIU itself is among them, and may end at any time.
    if (::write(procs.get(), text.data(), text.size()) < 0 && errno != ESRCH) {
      return Error::Errno("move process {} into '{}'", pid, directory);
    }
  }
  return {};
}

}  // namespace

Result<ContainerRestore> ContainerRestore::Open(runtime::SavedContainer container) {
  runtime::RuntimeRecord record = TRY(runtime::RuntimeRecord::Open(container));
  for (const runtime::CgroupPlace& place : container.cgroups) {
    if (place.own) TRY(CheckCgroup(container, place));
  }
  ContainerRestore restore(std::move(container), std::move(record));
  const std::string& path = restore.container_.network_path;
  if (!path.empty()) {
    restore.network_.reset(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    if (!restore.network_.valid()) {
      return runtime::refusal::NetworkGone(restore.container_.id, path, Error::Errno("open it"));
    }
  }
  return restore;
}

Result<void> ContainerRestore::MountRoot(std::string directory) {
  root_.emplace(TRY(runtime::ContainerRoot::Mount(container_, std::move(directory))));
  return {};
}

Result<void> ContainerRestore::MakeMounts(FdRef images, const std::string& images_path,
                                          const std::string& directory) {
  if (TmpfsInImages(container_).empty()) return {};
  mounts_.emplace(TRY(ContainerMounts::Make(container_, images, images_path, directory)));
  return {};
}

Result<std::optional<Cgroup>> ContainerRestore::OwnCgroup() const {
  const runtime::CgroupPlace* place = PlaceInV2(container_);
  if (place == nullptr || !place->own) return std::optional<Cgroup>();
  const std::size_t slash = place->directory.rfind('/');
  return std::optional(
      TRY(Cgroup::Create(place->directory.substr(0, slash), place->directory.substr(slash + 1))));
}

void ContainerRestore::ApplyTo(criu::RestoreRequest& request) const {
  if (root_) request.root = root_->path();
  if (mounts_) request.images = mounts_->images();
  for (std::string& external : runtime::ExternalForRestore(container_)) {
    request.external.push_back(std::move(external));
  }
  request.empty_netns = container_.own_network || network_.valid();
  if (network_.valid()) request.inherit.emplace_back(runtime::kNetworkKey, network_.ref());
  request.evasive_devices = true;
  for (const runtime::CgroupPlace& place : container_.cgroups) {
    // Also those that it shared: crd itself may be elsewhere.
    if (!place.v2() && !place.directory.empty()) request.cgroups_v1.push_back(place.directory);
  }
}

Result<void> ContainerRestore::SetUpNetwork(pid_t root) const {
  if (!container_.own_network || !container_.loopback_up) return {};
  const std::string path = fmt::format("/proc/{}/ns/net", root);
  const UniqueFd inside(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!inside.valid()) return Error::Errno("open '{}'", path);
  return net::BringLoopbackUp(inside.ref());
}

Result<void> ContainerRestore::Adopt(const ProcessIdentity& root, const Cgroup* made_for_restore) {
  TRY(runtime::RepairMountFlags(root.pid, container_.mounts));
  const runtime::CgroupPlace* place = PlaceInV2(container_);
  if (made_for_restore != nullptr && place != nullptr && !place->directory.empty()) {
    TRY(MoveAll(*made_for_restore, place->directory));
  }
  return record_.Name(root);
}

void ContainerRestore::Undo() { record_.Undo(); }

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
