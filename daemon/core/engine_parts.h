#pragma once

#include <functional>
#include <string>
#include <vector>

#include "daemon/base/children.h"
#include "daemon/base/clock.h"
#include "daemon/core/containers.h"
#include "daemon/core/image_store.h"
#include "daemon/core/inventory.h"
#include "daemon/core/netns_pins.h"
#include "daemon/core/networks.h"
#include "daemon/core/reservations.h"
#include "daemon/criu/criu.h"

namespace crd {

// What everything needs that runs an operation. All of it outlives the engine.
struct EngineParts {
  Inventory& inventory;
  ImageStore& images;
  Containers& containers;
  Networks& networks;
  Reservations& reservations;
  NetnsPins& pins;
  Children& children;
  criu::Criu& criu;
  const Clock& clock;
  std::string state_directory;
  std::string cgroup_base;  // directory of crd's own cgroup2
  std::string kernel_release;
  std::string host;
  std::string boot_id;
  bool kernel_cache_primed = false;
  int workers = 4;
  // Looks anew each time: containerd makes a state directory per namespace.
  std::function<std::vector<std::string>()> runtime_roots = [] {
    return std::vector<std::string>();
  };
};

}  // namespace crd
