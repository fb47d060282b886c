#pragma once

#include <functional>
#include <optional>
#include <string>

#include "daemon/base/cgroup.h"
#include "daemon/base/result.h"
#include "daemon/core/container_mounts.h"
#include "daemon/criu/criu.h"
#include "daemon/runtime/container_root.h"
#include "daemon/runtime/runtime_record.h"
#include "daemon/runtime/saved_container.h"

namespace crd {

// What a restore of an OCI container is besides that of a tree: its root, its mounts, its cgroups,
// its network and what its runtime believes. Belongs to one restore; what it mounted is unmounted
// when it goes out of scope.
class ContainerRestore {
 public:
  // What is in the way, found without changing anything: RUNTIME_FORGOT_CONTAINER,
  // CONTAINER_STILL_RUNS, CGROUP_GONE, CGROUP_BUSY, NETWORK_NAMESPACE_GONE.
  static Result<ContainerRestore> Open(runtime::SavedContainer container);

  // Mounts the root on this directory, which is made: ROOTFS_GONE, MOUNT_SOURCE_GONE,
  // MOUNTPOINT_UNUSABLE.
  Result<void> MountRoot(std::string directory);

  // Makes what CRIU is to mount besides, beneath this directory, which is made.
  Result<void> MakeMounts(FdRef images, const std::string& images_path,
                          const std::string& directory);

  // The container's own cgroup2, in which the whole restore is to take place; empty if it has none.
  // Belongs to the runtime: it is emptied after a failure, and never removed.
  [[nodiscard]] Result<std::optional<Cgroup>> OwnCgroup() const;

  // The request must not outlive this.
  void ApplyTo(criu::RestoreRequest& request) const;

  // In kSetupNamespaces: `root` has its network namespace, and nothing in it.
  [[nodiscard]] Result<void> SetUpNetwork(pid_t root) const;
  // In kPostRestore: puts mounts right, moves the tree out of `made_for_restore` (null: it is where
  // it belongs) into the cgroup2 that it had, and tells the runtime.
  [[nodiscard]] Result<void> Adopt(const ProcessIdentity& root, const Cgroup* made_for_restore);
  // Tells the runtime that nothing came of it.
  void Undo();

  // The pid that a process of the images (`inner`) has now.
  [[nodiscard]] pid_t HostPid(pid_t root, pid_t inner) const;

 private:
  ContainerRestore(runtime::SavedContainer container, runtime::RuntimeRecord record)
      : container_(std::move(container)), record_(std::move(record)) {}

  runtime::SavedContainer container_;
  runtime::RuntimeRecord record_;
  UniqueFd network_;  // that it had joined
  std::optional<runtime::ContainerRoot> root_;
  std::optional<ContainerMounts> mounts_;
};

}  // namespace crd
