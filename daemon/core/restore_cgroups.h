#pragma once

#include <optional>
#include <string>
#include <vector>

#include "daemon/base/cgroup.h"
#include "daemon/base/children.h"
#include "daemon/base/pid_fd.h"
#include "daemon/base/result.h"
#include "daemon/base/unique_fd.h"
#include "daemon/core/manifest.h"
#include "daemon/criu/cgroup_yard.h"
#include "daemon/criu/criu.h"
#include "daemon/runtime/made_cgroups.h"
#include "daemon/runtime/saved_container.h"
#include "systemd/scope.h"

namespace crd {

// The cgroups' side of one restore of an OCI container: they are made where they have gone, the
// whole restore takes place in them, its cgroup namespace gets them as roots, and its processes
// get where they were within. What was made goes with this unless it was kept.
class RestoreCgroups {
 public:
  // `container` as it is to be, the manifest's own where it was. CGROUP_GONE, CGROUP_BUSY. Changes
  // nothing.
  static Result<RestoreCgroups> Open(const runtime::SavedContainer& container,
                                     const Manifest& manifest);

  // Makes those that are not there, and what the namespace needs: in `directory`, which is made.
  // SCOPE_UNUSABLE, CGROUP_UNUSABLE.
  Result<void> Make(FdRef images, const std::string& directory, Children& children);

  // The container's own cgroup2, in which the whole restore is to take place; empty if it has none.
  // Belongs to the runtime: it is emptied after a failure, and never removed.
  [[nodiscard]] Result<std::optional<Cgroup>> Own() const;

  // This must outlive the request.
  void ApplyTo(criu::RestoreRequest& request) const;

  // In kSetupNamespaces: `root` makes its cgroup namespace next.
  Result<void> RootNamespace(pid_t root);
  // In kPostRestore: moves the tree out of `made_for_restore` (null: it is where it belongs) into
  // the cgroup2 that it had, and each process into the cgroup within that. `aside`: see
  // runtime::PlaceProcesses(). CGROUP_UNUSABLE.
  Result<void> Adopt(pid_t root, const Cgroup* made_for_restore, const std::string& aside);

  // Ends what is not where the whole restore took place.
  void Undo();
  // They are its own now. Those that it has left are removed, unless it is `another` container,
  // beside the one that has them.
  void Keep(bool another);

 private:
  // Who makes the cgroup namespace that it has for itself.
  enum class Maker {
    kNobody,
    kCrd,
    kCriu,  // in the container's user namespace, to which it is to belong
  };
  RestoreCgroups(const runtime::SavedContainer& container, const Manifest& manifest);
  Result<void> MakeNamespace(FdRef images, const std::string& directory);
  [[nodiscard]] const runtime::CgroupPlace* InV2() const;
  [[nodiscard]] Result<void> PlaceInNested(pid_t root, const std::string& aside) const;

  std::string id_;  // of the container
  std::vector<runtime::CgroupPlace> places_;
  std::vector<runtime::CgroupPlace> old_places_;
  std::optional<systemd::Scope> scope_;
  Maker namespace_maker_;
  UniqueFd namespace_;
  std::optional<criu::CgroupYard> yard_;
  std::optional<PidFd> outside_;  // the half-made root, if it is not where crd would kill it
  std::optional<runtime::MadeCgroups> made_;
  std::optional<systemd::HeldScope> held_scope_;  // until the tree is in it
};

}  // namespace crd
