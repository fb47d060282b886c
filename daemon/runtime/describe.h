#pragma once

#include <string>
#include <vector>

#include <sys/types.h>

#include "daemon/base/result.h"
#include "daemon/runtime/container.h"
#include "daemon/runtime/container_files.h"
#include "daemon/runtime/saved_container.h"

namespace crd::runtime {

// What keeps a container from being dumped, and the process that has it (0: the container).
struct ContainerObstacle {
  pid_t pid = 0;
  Error error;
};

struct Description {
  SavedContainer saved;
  std::vector<OutsideFile> files;
  std::string engine;  // whose container it is; empty: nobody's but the runtime's
  std::vector<ContainerObstacle> obstacles;
};

// Looks at a running container as CRIU will: its bundle, mounts, namespaces, cgroups, network and
// descriptors. Without touching it. `tree` are its init and the init's descendants; any other
// process in its pid namespace is an obstacle: CRIU would wait for it for ever when it ends the
// tree (criu#2618).
//
// BUNDLE_UNREADABLE, MOUNT_UNSUPPORTED; kNotFound when it has ended. Any thread.
Result<Description> Describe(const Container& container, const std::vector<pid_t>& tree);

}  // namespace crd::runtime
