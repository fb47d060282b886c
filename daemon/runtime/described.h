#pragma once

#include <string>

#include <sys/types.h>

#include "daemon/base/result.h"
#include "daemon/runtime/container.h"

namespace crd::runtime {

// A container as a client describes it, who may be mistaken or hostile.
struct ClientDescription {
  pid_t pid = 0;  // its init
  Kind kind = Kind::kRunc;
  std::string id;
  std::string bundle;
  std::string rootfs;      // empty: as the bundle says
  std::string state_path;  // empty: no runtime is kept in step
};

// Believes nothing that can be seen: the process must be in a mount namespace of its own with this
// root, the state must be this runtime's of this id and name this process. DESCRIPTION_WRONG,
// RUNTIME_STATE_UNREADABLE. Reads, changes nothing.
Result<Container> CheckDescription(const ClientDescription& description);

}  // namespace crd::runtime
