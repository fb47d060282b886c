#pragma once

#include <map>
#include <string>
#include <vector>

#include "daemon/base/proc.h"
#include "daemon/base/result.h"
#include "daemon/core/obstacles.h"
#include "daemon/core/process_tree.h"
#include "daemon/criu/criu.h"

namespace crd {

// Inodes of a process's namespaces by the names in /proc/PID/ns.
using Namespaces = std::map<std::string, ino_t>;
Result<Namespaces> ReadNamespaces(const proc::ProcDir& process);

// What keeps CRIU from seizing this process or reading its state. `may_read_limits`: crd's CRIU has
// CAP_SYS_RESOURCE.
std::vector<Obstacle> InspectProcess(const TreeProcess& process, bool may_read_limits);

// Whether a CRIU started by this process will have CAP_SYS_RESOURCE.
bool HasCapSysResource();
// Whether it may read the limits of this process all the same, as in user namespaces beneath its
// own: what is in one is refused for that, not for its limits.
bool MayReadLimitsOf(pid_t pid);

// Sessions and process groups: CRIU gives them back by their numbers, which needs their leaders.
std::vector<Obstacle> InspectSessions(const ProcessTree& tree, const criu::DumpOptions& options);

// The root's namespaces against crd's own: a refusal of the target.
Result<void> CheckRootNamespaces(const TreeProcess& root, const Namespaces& own,
                                 const Namespaces& of_root);
// A descendant's namespaces against the root's and crd's own.
std::vector<Obstacle> InspectNamespaces(const TreeProcess& process, const Namespaces& own,
                                        const Namespaces& of_root, const Namespaces& of_process);

}  // namespace crd
