#pragma once

#include "daemon/base/pid_fd.h"
#include "daemon/core/engine_parts.h"
#include "daemon/core/process_tree.h"
#include "daemon/core/requests.h"

namespace crd {

// The tree that a checkpoint is asked for, and crd's record of it.
struct CheckpointTarget {
  PidFd root;
  ContainerRecord container;
  bool is_new = false;  // the record was made just now and is not in the inventory yet
};

// The pid of the tree's root. CONTAINER_NOT_FOUND, CONTAINER_ENDED; whether a pid that was given as
// such may be dumped is the preflight's business. Any thread; changes nothing.
Result<pid_t> ResolvePid(const EngineParts& parts, const Target& target);

// Gets hold of the root that was inspected and finds its record: a tree that crd has not seen
// before gets one of its own. kNotFound if the root has ended meanwhile.
Result<CheckpointTarget> OpenTarget(const EngineParts& parts, const TreeProcess& root);

}  // namespace crd
