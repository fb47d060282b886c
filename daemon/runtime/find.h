#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <sys/types.h>

#include "daemon/base/result.h"
#include "daemon/runtime/container.h"

namespace crd::runtime {

// Looks for containers in the runtimes' state directories. Reads, changes nothing, keeps nothing:
// what is found may have ended by the time it is returned. Any thread.

// The roots that runtimes and engines use by default, containerd's of all its namespaces included.
// Not those of other users' (rootless) engines: CRIU needs root.
std::vector<std::string> DefaultRoots();

struct Found {
  std::vector<Container> containers;  // by id within each root, roots in their order
  std::vector<Error> problems;        // states that cannot be read; RUNTIME_STATE_UNREADABLE
};
// A root that is not there is empty. What a runtime left of a half-made container (a directory
// without a state) is skipped.
Found List(const std::vector<std::string>& roots);

struct Wanted {
  std::string_view key;      // id, an engine's name, or a prefix of an id; the first that fits wins
  std::optional<Kind> kind;  // only this runtime's
};
// Empty if none fits. RUNTIME_AMBIGUOUS; the error of a state that is in the way of an answer: one
// with this very id.
Result<std::optional<Container>> Find(const std::vector<std::string>& roots, const Wanted& wanted);

// Of a container whose state is known to be right: whether its init waits is not looked for.
Status StatusOf(const RuntimeState& state);

// Whether the process that the state means lives. A zombie does not: its pid namespace is gone.
bool InitIsAlive(const RuntimeState& state);

// The running container whose init this process is; empty if there is none.
std::optional<Container> FindByPid(const std::vector<std::string>& roots, pid_t pid);

}  // namespace crd::runtime
