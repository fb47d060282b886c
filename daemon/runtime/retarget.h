#pragma once

#include <string>
#include <utility>
#include <vector>

#include "daemon/base/result.h"
#include "daemon/runtime/saved_container.h"

namespace crd::runtime {

// How a container is to come back, where it is not to be as it was. Empty: as it was.
struct Retargeting {
  std::string id;
  std::string bundle;                                       // absolute
  std::vector<std::pair<std::string, std::string>> mounts;  // destination, source
  std::string cgroup_parent;                                // "/a/b"; of systemd's, a slice
};

// The container as it is to be restored. Another id means cgroups of that name beside the old ones;
// another bundle means its root file system, and its sources for mounts that it has, too. A mount
// that comes from the old bundle comes from the new one.
//
// Cgroups that systemd made stay a scope's, in a slice: CGROUP_MANAGED if they cannot. Also
// BUNDLE_UNREADABLE, MOUNT_UNKNOWN. Reads the new bundle, changes nothing.
Result<SavedContainer> Retarget(SavedContainer container, const Retargeting& wanted);

}  // namespace crd::runtime
