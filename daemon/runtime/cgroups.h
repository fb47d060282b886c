#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <sys/types.h>

#include "daemon/base/result.h"
#include "daemon/runtime/mount_table.h"

namespace crd::runtime {

// Where a process is in one cgroup hierarchy.
struct CgroupPlace {
  std::string controllers;  // "cpu,cpuacct", "name=systemd"; empty for cgroup2
  std::string path;         // within the hierarchy, as crd's cgroup namespace has it
  std::string directory;    // where crd sees it; empty if this hierarchy is not mounted for crd

  // Nobody else is in it: it may be frozen, and must be empty before a restore.
  bool own = false;

  // Of one of its own: its limits, by the name of their file.
  std::vector<std::pair<std::string, std::string>> limits;
  // Which devices it may use is decided by a program (cgroup2).
  bool device_filter = false;

  [[nodiscard]] bool v2() const { return controllers.empty(); }
  [[nodiscard]] bool Has(std::string_view controller) const;
  bool operator==(const CgroupPlace&) const = default;
};

// Of /proc/PID/cgroup and crd's mounts; takes everything but a root for its own. Pure.
std::vector<CgroupPlace> ParseCgroups(std::string_view text, const std::vector<MountEntry>& mounts);

// Cgroups of a container's init, v1 hierarchies first as the kernel lists them. Hosts are pure v1,
// hybrid (v1 controllers and a cgroup2 without most of them) or v2; all are read alike. A cgroup is
// its own if only its descendants are in it, and what was started in its mount namespace
// from outside. Any thread.
Result<std::vector<CgroupPlace>> CgroupsOf(pid_t init);

}  // namespace crd::runtime
