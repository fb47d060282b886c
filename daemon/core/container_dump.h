#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "daemon/base/result.h"
#include "daemon/criu/criu.h"
#include "daemon/runtime/freezer.h"
#include "daemon/runtime/rootfs_diff.h"
#include "daemon/runtime/saved_container.h"
#include "systemd/scope.h"

namespace crd {

// What a dump of an OCI container is besides that of a tree. Belongs to one checkpoint; thaws the
// container when it goes out of scope.
class ContainerDump {
 public:
  // `streams`: where descriptors 0, 1 and 2 of its init lead.
  static Result<ContainerDump> Prepare(pid_t init, runtime::SavedContainer container,
                                       std::vector<std::string> streams);

  // Finds what tells what changed in its root, for SaveRootfs(). Fails as runtime::RootfsDiff does.
  Result<void> OpenRootfs(pid_t init, const std::string& base, const GoingOn& going_on);

  // Sets what CRIU must know of mounts, namespaces and cgroup. kNotFound if a namespace has gone.
  // This must outlive the request.
  Result<void> ApplyTo(criu::DumpRequest& request);

  // Right before CRIU collects the tree, so that it stands still no longer than it must. Fails also
  // as runtime::ReadNested() does.
  Result<void> Freeze();
  // How long that took.
  [[nodiscard]] std::chrono::microseconds freezing() const { return freezing_; }
  // Logs what it cannot do.
  void Thaw();

  // In kPostDump: saves what crd saves itself, so that the images are those that CRIU alone would
  // have made.
  [[nodiscard]] Result<void> SaveMounts(pid_t init, FdRef images) const;

  // Likewise: what changed in its root, if that was asked for.
  [[nodiscard]] bool saves_rootfs() const { return rootfs_.has_value(); }
  [[nodiscard]] Result<void> SaveRootfs(FdRef images, const GoingOn& going_on);

  // Adds what `runc restore` and `crun restore` need beside CRIU's images.
  [[nodiscard]] Result<void> WriteStreams(FdRef images) const;

  [[nodiscard]] const runtime::SavedContainer& container() const { return container_; }
  // That systemd has made for it.
  [[nodiscard]] const std::optional<systemd::Scope>& scope() const { return scope_; }

 private:
  ContainerDump(runtime::SavedContainer container, std::vector<std::string> streams,
                runtime::Freezer freezer)
      : container_(std::move(container)),
        streams_(std::move(streams)),
        freezer_(std::move(freezer)) {}

  runtime::SavedContainer container_;
  std::vector<std::string> streams_;
  runtime::Freezer freezer_;
  std::vector<UniqueFd> entered_;  // namespaces, by CRIU
  std::optional<systemd::Scope> scope_;
  std::optional<runtime::RootfsDiff> rootfs_;
  std::chrono::microseconds freezing_{0};
};

}  // namespace crd
