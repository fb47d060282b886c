#include "daemon/runtime/mount_flags.h"

#include <map>

#include <fcntl.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "daemon/runtime/mount_namespace.h"

namespace crd::runtime {
namespace {

unsigned long Attributes(bool read_only, bool nosuid, bool nodev, bool noexec) {
  return (read_only ? MOUNT_ATTR_RDONLY : 0UL) | (nosuid ? MOUNT_ATTR_NOSUID : 0UL) |
         (nodev ? MOUNT_ATTR_NODEV : 0UL) | (noexec ? MOUNT_ATTR_NOEXEC : 0UL);
}

Result<void> Apply(const FlagRepair& repair) {
  const UniqueFd point = TRY(OpenMount(repair.mountpoint, repair.id));
  // What is not seen cannot be used either.
  if (!point.valid()) return {};
  mount_attr attributes{};
  attributes.attr_set = repair.set;
  attributes.attr_clr = repair.clear;
  if (::syscall(SYS_mount_setattr, point.get(), "", AT_EMPTY_PATH, &attributes,
                sizeof attributes) != 0) {
    return Error::Errno("put the flags of mount '{}' right", repair.mountpoint);
  }
  return {};
}

}  // namespace

std::vector<FlagRepair> PlanFlagRepairs(const std::vector<SavedMount>& saved,
                                        const std::vector<MountEntry>& restored) {
  // Of several on one mountpoint the last is seen.
  std::map<std::string, const MountEntry*> seen;
  for (const MountEntry& mount : restored) seen[mount.mountpoint] = &mount;
  std::map<std::string, const SavedMount*> wanted;
  for (const SavedMount& mount : saved) wanted[mount.mountpoint] = &mount;
  std::vector<FlagRepair> repairs;
  for (const auto& [mountpoint, mount] : wanted) {
    const auto found = seen.find(mountpoint);
    if (found == seen.end()) continue;
    const MountEntry& now = *found->second;
    const unsigned long was =
        Attributes(mount->read_only, mount->nosuid, mount->nodev, mount->noexec);
    const unsigned long is = Attributes(now.read_only, now.nosuid, now.nodev, now.noexec);
    if (was == is) continue;
    repairs.push_back(
        {.id = now.id, .mountpoint = mountpoint, .set = was & ~is, .clear = is & ~was});
  }
  return repairs;
}

Result<void> RepairMountFlags(pid_t init, const std::vector<SavedMount>& saved) {
  const std::vector<FlagRepair> repairs = PlanFlagRepairs(saved, TRY(ReadMountTable(init)));
  if (repairs.empty()) return {};
  return InMountNamespace(init, [&]() -> Result<void> {
    for (const FlagRepair& repair : repairs) TRY(Apply(repair));
    return {};
  });
}

}  // namespace crd::runtime
