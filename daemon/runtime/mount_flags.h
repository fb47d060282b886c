#pragma once

#include <string>
#include <vector>

#include <sys/types.h>

#include "daemon/base/result.h"
#include "daemon/runtime/mount_table.h"
#include "daemon/runtime/saved_container.h"

namespace crd::runtime {

// A mount whose flags are not what they were.
struct FlagRepair {
  int id = 0;  // of the mount
  std::string mountpoint;
  unsigned long set = 0;  // MOUNT_ATTR_*
  unsigned long clear = 0;
};

// Compares what CRIU has mounted with what there was. Pure.
std::vector<FlagRepair> PlanFlagRepairs(const std::vector<SavedMount>& saved,
                                        const std::vector<MountEntry>& restored);

// CRIU gives a mount that comes from the host the flags of its source, and a bind of /proc those of
// /proc (4.2): what a container could only read it could write. Puts read-only, nosuid, nodev and
// noexec right in the mount namespace of a restored tree, before any of it runs (Linux 5.12). A
// thread of its own enters the namespace. Any thread.
Result<void> RepairMountFlags(pid_t init, const std::vector<SavedMount>& saved);

}  // namespace crd::runtime
