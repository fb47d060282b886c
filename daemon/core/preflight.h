#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include <sys/types.h>

#include "daemon/base/ids.h"
#include "daemon/base/result.h"
#include "daemon/core/link_remaps.h"
#include "daemon/core/obstacles.h"
#include "daemon/core/open_socket.h"
#include "daemon/core/process_tree.h"
#include "daemon/core/tree_network.h"
#include "daemon/criu/criu.h"

namespace crd {

// A pipe or socket that leads out of the tree (or, its other end being closed, nowhere) through
// descriptor 0, 1 or 2 of one of its processes, or the terminal of a shell job. CRIU dumps it; the
// restore decides what takes its place.
struct StdioLink {
  enum class Kind {
    kPipe,      // may be anything else after the restore; without inherit a pipe to nowhere
    kSocket,    // the same, but CRIU does not restore it without inherit
    kTerminal,  // only with shell_job; any other terminal, which does not control the tree
    kFile,      // a file outside of a container, which CRIU does not open without inherit
  };
  Kind kind = Kind::kPipe;
  std::string key;  // for RestoreRequest::inherit: "pipe:[123]", "socket:[123]", "tty[8800:1a]"
  pid_t pid = 0;    // the first process that has it, root first; as its own pid namespace counts
  int fd = -1;      // the lowest descriptor there
  bool readable = false;
  bool writable = false;
  std::string path;  // of a file
};

struct Preflight {
  ProcessTree tree;
  std::vector<Obstacle> obstacles;     // empty: nothing is known to stand in the way
  std::vector<StdioLink> stdio;        // one per key
  std::vector<std::string> external;   // for DumpRequest::external, and RestoreRequest::external
  std::vector<RemappedFile> remapped;  // files that CRIU will make names for; only with link_remap
  std::optional<TreeNetwork> network;  // of its own
  std::vector<OpenSocket> sockets;
  bool console = false;            // a terminal of a container's own is driven from outside
  std::uint64_t memory_bytes = 0;  // ProcessTree::MemoryBytes()
};

struct PreflightContext {
  pid_t self = 0;                     // crd's own pid
  std::map<pid_t, OperationId> busy;  // processes that other operations work on
  // The tree is a container's: it may have mount and pid namespaces of its own.
  bool container = false;
  // Whatever an engine does with the container afterwards.
  bool force = false;
};

// Looks at a tree as CRIU 4.2 will, without touching or stopping it: reads /proc, and the kernel's
// list of unix sockets where the tree has any.
//
// Fails with the refusal itself where `root` is no tree that may be dumped at all
// (core/obstacles.h, "targets"); everything else that is in the way is collected in `obstacles`.
// What a process does while it is looked at, or afterwards, may still make CRIU refuse. Any thread;
// well under 1 ms for a small process.
Result<Preflight> InspectTree(pid_t root, const criu::DumpOptions& options,
                              const PreflightContext& context);

}  // namespace crd
