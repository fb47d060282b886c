#pragma once

#include <optional>
#include <string>
#include <vector>

#include "daemon/base/pid_fd.h"
#include "daemon/core/engine_parts.h"
#include "daemon/core/preflight.h"
#include "daemon/core/process_tree.h"
#include "daemon/core/requests.h"
#include "daemon/runtime/container.h"
#include "daemon/runtime/saved_container.h"

namespace crd {

// The tree that a checkpoint is asked for, and crd's record of it.
struct CheckpointTarget {
  PidFd root;
  ContainerRecord container;
  bool is_new = false;  // the record was made just now and is not in the inventory yet
};

// A target as it was found: the root of a tree, which may be the init of an OCI container.
struct ResolvedTarget {
  pid_t pid = 0;
  std::optional<runtime::Container> container;
};

// CONTAINER_NOT_FOUND, CONTAINER_ENDED, and what runtime::Find refuses; whether a pid that was
// given as such may be dumped is the preflight's business. Any thread; changes nothing.
Result<ResolvedTarget> ResolveTarget(const EngineParts& parts, const Target& target);

// The state directories to look into; `extra` may be empty.
std::vector<std::string> RuntimeRoots(const EngineParts& parts, const std::string& extra);

struct InspectedTarget {
  Preflight preflight;
  std::optional<runtime::SavedContainer> container;
  // Where descriptors 0, 1 and 2 of a container's init lead: what runc and crun keep as
  // descriptors.json and need at a restore of theirs.
  std::vector<std::string> streams;
  // Processes that were started in the container from outside; obstacles, too, unless they are to
  // be ended.
  std::vector<pid_t> execed;
};

// InspectTree(), and of a container all that it is besides a tree. Fails as that does, and as
// runtime::Describe() does.
Result<InspectedTarget> InspectTarget(const ResolvedTarget& target,
                                      const criu::DumpOptions& options, bool kill_exec,
                                      PreflightContext context);

// Adds to the obstacles what keeps the writable layer from being taken along
// (runtime/rootfs_diff.h).
void CheckRootfsDiff(const std::string& base, InspectedTarget& inspected);

// Gets hold of the root that was inspected and finds its record: a tree that crd has not seen
// before gets one of its own. kNotFound if the root has ended meanwhile.
Result<CheckpointTarget> OpenTarget(const EngineParts& parts, const TreeProcess& root);

}  // namespace crd
