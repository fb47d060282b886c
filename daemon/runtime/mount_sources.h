#pragma once

#include <vector>

#include "daemon/base/result.h"
#include "daemon/base/unique_fd.h"
#include "daemon/runtime/saved_container.h"

namespace crd::runtime {

// A mount namespace like ours in which the sources of a container's mounts lie where anybody may
// reach them, and sets the mounts' sources to that. For CRIU, which binds them when it is in the
// container's user namespace already (4.2, mount-v2.c) and may search no directory of the host's
// root's. Nobody else sees it; it ends with the descriptor and whoever is in it. MOUNT_SOURCE_GONE.
// Any thread.
Result<UniqueFd> ShowMountSources(const std::string& id, std::vector<SavedMount>& mounts);

}  // namespace crd::runtime
