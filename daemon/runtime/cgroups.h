#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <sys/types.h>

#include "daemon/base/result.h"
#include "daemon/runtime/mount_table.h"

namespace crd::runtime {

// A cgroup that was made within a container's.
struct NestedCgroup {
  std::string path;                                         // within the container's: "/app/one"
  std::vector<std::pair<std::string, std::string>> limits;  // by the name of their file
  std::string subtree_control;  // controllers that it gives to those within it (cgroup2)
  std::vector<std::string> device_filters;  // as CgroupPlace has it
  unsigned uid = 0;  // whose it is: who else than root may make cgroups in it
  unsigned gid = 0;
  std::vector<std::string> owned;  // its files that are its owner's as well, who is not root
  std::vector<pid_t> pids;         // of its processes, as their own pid namespace counts
  bool operator==(const NestedCgroup&) const = default;
};

// Where a process is in one cgroup hierarchy.
struct CgroupPlace {
  std::string controllers;  // "cpu,cpuacct", "name=systemd"; empty for cgroup2
  std::string path;         // within the hierarchy, as crd's cgroup namespace has it
  std::string directory;    // where crd sees it; empty if this hierarchy is not mounted for crd

  // Nobody else is in it or in one within it: it may be frozen, and must be empty before a restore.
  bool own = false;

  // Of one of its own: its limits, by the name of their file.
  std::vector<std::pair<std::string, std::string>> limits;
  // The programs that decide which devices it may use (cgroup2; device_filter.h).
  std::vector<std::string> device_filters;
  std::string subtree_control;       // as NestedCgroup has it
  std::vector<NestedCgroup> nested;  // each after the one that it is in

  [[nodiscard]] bool v2() const { return controllers.empty(); }
  [[nodiscard]] bool Has(std::string_view controller) const;
  bool operator==(const CgroupPlace&) const = default;
};

// Of /proc/PID/cgroup and crd's mounts; takes everything but a root for its own. `made`: where the
// runtime made cgroups (RuntimeState::cgroups). A process that has moved into one within them is
// where the runtime put it. Pure.
std::vector<CgroupPlace> ParseCgroups(std::string_view text, const std::vector<MountEntry>& mounts,
                                      const std::vector<std::string>& made = {});

// Cgroups of a container, by its init, v1 hierarchies first as the kernel lists them. Hosts are
// pure v1, hybrid (v1 controllers and a cgroup2 without most of them) or v2; all are read alike. A
// cgroup is its own if only its descendants are in it and within it, and what was started in its
// mount namespace from outside. Any thread.
Result<std::vector<CgroupPlace>> CgroupsOf(pid_t init, const std::vector<std::string>& made);

// Those in which nobody else is than what belongs to a container: its init's, and all above that.
// For who does not know where the runtime made them.
Result<std::vector<CgroupPlace>> CgroupsAbove(pid_t init);

// Directories within one, the one before what is in it. A cgroup that is removed meanwhile has
// none.
std::vector<std::string> CgroupsWithin(const std::string& directory);

}  // namespace crd::runtime
