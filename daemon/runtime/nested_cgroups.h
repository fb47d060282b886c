#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <sys/types.h>

#include "daemon/base/result.h"
#include "daemon/runtime/cgroups.h"

namespace crd::runtime {

// Cgroups that a container's processes have made within its own, as systemd does or a supervisor.

// Reads what there is within a place of the container's own, and what it gives to that. While the
// container runs this may change at any time. NESTED_CGROUPS, naming the cgroup: one is frozen, or
// has single threads of processes in it.
Result<void> ReadNested(std::string_view id, CgroupPlace& place);

// A cgroup and all within it, each after what is in it.
std::vector<std::string> InnermostFirst(const std::string& directory);

// The first of these processes that is in none of the container's own cgroups in a hierarchy where
// it has one, and where it is. Not in the root, which is where the kernel has what is ending.
struct Outsider {
  pid_t pid = 0;
  std::string path;
};
std::optional<Outsider> FindOutsider(const std::vector<CgroupPlace>& places,
                                     const std::vector<pid_t>& pids);

// Gives what is made again its controllers and limits, and puts each process where it was. `pids`:
// what its own pid namespace calls a process, and crd. Before any of them runs.
//
// Processes in the container's own cgroup that are none of `pids`, CRIU's, are moved to `aside`, a
// directory of cgroup2, where they would be in the way: cgroup2 gives controllers only from cgroups
// without processes.
Result<void> PlaceProcesses(const std::vector<CgroupPlace>& places,
                            const std::map<pid_t, pid_t>& pids, const std::string& aside);

}  // namespace crd::runtime
