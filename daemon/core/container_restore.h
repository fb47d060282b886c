#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "daemon/base/cgroup.h"
#include "daemon/base/going_on.h"
#include "daemon/base/ids.h"
#include "daemon/base/result.h"
#include "daemon/core/console.h"
#include "daemon/core/container_mounts.h"
#include "daemon/core/manifest.h"
#include "daemon/core/requests.h"
#include "daemon/core/restore_cgroups.h"
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
  // Of a manifest that has a container. `name`: the runtime's id for it; empty: the one that it
  // had. What is in the way, found without changing anything: ROOTFS_DIFF_MISSING, what
  // runtime::Retarget() and RuntimeRecord::Open() refuse, CGROUP_GONE, CGROUP_BUSY, NAMESPACE_GONE.
  static Result<ContainerRestore> Open(const Manifest& manifest, const ContainerChoice& choice = {},
                                       const std::string& name = "");

  // Where its runtime keeps its state; empty if none is kept in step.
  [[nodiscard]] const std::string& state_path() const { return container_.state_path; }

  // Of its user namespace; empty: it has none of its own.
  [[nodiscard]] const runtime::IdMaps& users() const { return container_.users; }

  // It had joined a pid namespace, which its pids must be free in.
  [[nodiscard]] bool shares_pids() const { return pids_.valid(); }

  // Lays what changed in its root down in the root that it is to have, if the checkpoint holds that
  // and it is to be: in another bundle, or where it was asked for. ROOTFS_GONE, ROOTFS_DIFF_FAILED.
  [[nodiscard]] bool lays_layer_down() const { return lays_layer_down_; }
  Result<void> LayDownLayer(FdRef images, const GoingOn& going_on);

  // Makes what CRIU is to find: cgroups that are not there, and in `directory` the root and mounts
  // besides. `images_path` is where `images` are. ROOTFS_GONE, MOUNT_SOURCE_GONE,
  // MOUNTPOINT_UNUSABLE, SCOPE_UNUSABLE, CGROUP_UNUSABLE.
  Result<void> Prepare(FdRef images, const std::string& images_path, const std::string& directory,
                       Children& children);

  // Of one that has a console: where it goes, `own_log` if the caller does not say.
  // CONSOLE_SOCKET_UNUSABLE, CONSOLE_NOT_STDIO, NO_CONSOLE, LOG_UNUSABLE. Gives the log that it is
  // written to; empty if it is to none.
  Result<std::string> OpenConsole(const CheckpointId& checkpoint, const RestoreRequest& request,
                                  std::string own_log);

  [[nodiscard]] Result<std::optional<Cgroup>> OwnCgroup() const { return cgroups_.Own(); }

  // The request must not outlive this.
  Result<void> ApplyTo(criu::RestoreRequest& request);

  // In kSetupNamespaces: `root` has its network namespace, with nothing in it, and makes its cgroup
  // namespace next.
  [[nodiscard]] Result<void> SetUpNamespaces(pid_t root);
  // In kPostRestore: puts mounts and cgroups right (RestoreCgroups::Adopt()), tells the runtime and
  // hands the console over.
  [[nodiscard]] Result<void> Adopt(const ProcessIdentity& root, const Cgroup* made_for_restore,
                                   const std::string& aside, Children& children);
  // Says what became of the root with an error that the restore ends with.
  [[nodiscard]] Error Explained(Error error) const;
  // Tells the runtime that nothing came of it, and ends what is not where the whole restore took
  // place.
  void Undo();
  // What was made for it is its own now.
  void Keep() { cgroups_.Keep(renamed_); }

  // The pid that a process of the images (`inner`) has now.
  [[nodiscard]] pid_t HostPid(pid_t root, pid_t inner) const;

 private:
  ContainerRestore(runtime::SavedContainer container, RestoreCgroups cgroups,
                   runtime::RuntimeRecord record)
      : container_(std::move(container)),
        cgroups_(std::move(cgroups)),
        record_(std::move(record)) {}
  Result<void> OpenNamespaces();

  runtime::SavedContainer container_;  // as it is to be
  RestoreCgroups cgroups_;
  bool renamed_ = false;  // another container, beside the old one
  bool lays_layer_down_ = false;
  bool laid_down_ = false;  // or a part of it
  runtime::RuntimeRecord record_;
  UniqueFd pids_;                  // that it had joined
  std::vector<UniqueFd> entered_;  // namespaces that CRIU is to run in
  std::optional<runtime::ContainerRoot> root_;
  std::optional<ContainerMounts> mounts_;
  std::optional<RestoreConsole> console_;
};

}  // namespace crd
