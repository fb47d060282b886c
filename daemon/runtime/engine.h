#pragma once

#include <string>

#include "daemon/base/result.h"
#include "daemon/runtime/bundle.h"
#include "daemon/runtime/container.h"

namespace crd::runtime {

// Whose container it is, and what that one calls it. Empty where nobody but its runtime knows it.
struct EngineContainer {
  std::string engine;  // "podman", "docker", "containerd", "CRI-O"
  std::string name;
};

// Tells it by the bundle and by what the engine keeps of it on disk (podman 4.3, docker 20.10): the
// engine itself is not asked. Any thread.
EngineContainer FindEngine(const RuntimeState& state, const Bundle& bundle);
// The same, of a bundle that is still to be read.
EngineContainer FindEngine(const RuntimeState& state);

}  // namespace crd::runtime
