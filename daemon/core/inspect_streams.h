#pragma once

#include <string>
#include <vector>

#include "daemon/core/descriptors.h"
#include "daemon/core/obstacles.h"
#include "daemon/core/open_socket.h"
#include "daemon/core/preflight.h"
#include "daemon/core/process_tree.h"
#include "daemon/criu/criu.h"

namespace crd {

// What a look across all processes of a tree brings to light.
struct Findings {
  std::vector<Obstacle> obstacles;
  std::vector<StdioLink> stdio;
  std::vector<std::string> external;
  std::vector<RemappedFile> remapped;
  std::vector<OpenSocket> sockets;
  bool console = false;

  void Append(Findings other);
};

// Pipes with an end that no process of the tree has. Those that one of the tree's standard streams
// leads to are reported as links, whether anybody outside has the other end or not; for the others
// the host is searched. `descriptors`: of all processes, root first. Any thread.
Findings InspectPipes(const ProcessTree& tree, const std::vector<Descriptor>& descriptors);

// Terminals whose master no process of the tree has: CRIU takes at most one, as a shell job, or as
// a container's console: one on `own_terminals`, the device of the container's devpts (0: none).
Findings InspectTerminals(const ProcessTree& tree, const std::vector<Descriptor>& descriptors,
                          const criu::DumpOptions& options, dev_t own_terminals);

// The device of the devpts that a container has for itself; 0 if it has none.
dev_t OwnTerminals(pid_t root);

}  // namespace crd
