#pragma once

#include <optional>
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
  // Of its network namespace, if that is neither the host's nor empty: the path that config.json
  // names, or an empty one if it ends with the container.
  std::optional<std::string> network_path;
  std::string engine;  // whose container it is; empty: nobody's but the runtime's
  std::vector<ContainerObstacle> obstacles;
  // Processes in the container that are no part of the tree: started from outside.
  std::vector<ContainerObstacle> execed;
};

// Looks at a running container as CRIU will: its bundle, mounts, namespaces, cgroups, network and
// descriptors. Without touching it. `tree` are its init and the init's descendants; while there is
// any other process in it (`execed`) it must not be dumped: CRIU would wait for that one for ever
// when it ends the tree (criu#2618).
//
// BUNDLE_UNREADABLE, MOUNT_UNSUPPORTED; kNotFound when it has ended. Any thread.
Result<Description> Describe(const Container& container, const std::vector<pid_t>& tree);

}  // namespace crd::runtime
