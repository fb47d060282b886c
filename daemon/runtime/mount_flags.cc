#include "daemon/runtime/mount_flags.h"

#include <map>
#include <system_error>
#include <thread>

#include <fcntl.h>
#include <linux/openat2.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "daemon/base/unique_fd.h"

namespace crd::runtime {
namespace {

unsigned long Attributes(bool read_only, bool nosuid, bool nodev, bool noexec) {
  return (read_only ? MOUNT_ATTR_RDONLY : 0UL) | (nosuid ? MOUNT_ATTR_NOSUID : 0UL) |
         (nodev ? MOUNT_ATTR_NODEV : 0UL) | (noexec ? MOUNT_ATTR_NOEXEC : 0UL);
}

Result<void> Apply(const FlagRepair& repair) {
  open_how how{};
  how.flags = O_PATH | O_CLOEXEC;
  how.resolve = RESOLVE_NO_SYMLINKS;
  const UniqueFd point(static_cast<int>(
      ::syscall(SYS_openat2, AT_FDCWD, repair.mountpoint.c_str(), &how, sizeof how)));
  if (!point.valid()) return Error::Errno("open mountpoint '{}'", repair.mountpoint);
  struct statx status {};
  if (::statx(point.get(), "", AT_EMPTY_PATH, STATX_MNT_ID, &status) != 0) {
    return Error::Errno("stat mountpoint '{}'", repair.mountpoint);
  }
  // Another mount lies over it: what is not seen cannot be used either.
  if (status.stx_mnt_id != static_cast<std::uint64_t>(repair.id)) return {};
  mount_attr attributes{};
  attributes.attr_set = repair.set;
  attributes.attr_clr = repair.clear;
  if (::syscall(SYS_mount_setattr, point.get(), "", AT_EMPTY_PATH, &attributes,
                sizeof attributes) != 0) {
    return Error::Errno("put the flags of mount '{}' right", repair.mountpoint);
  }
  return {};
}

Result<void> ApplyInside(FdRef mount_namespace, const std::vector<FlagRepair>& repairs) {
  // A thread that shares its root and working directory with others may not enter.
  if (::unshare(CLONE_FS) != 0) return Error::Errno("leave the process's working directory");
  if (::setns(mount_namespace.get(), CLONE_NEWNS) != 0) {
    return Error::Errno("enter the mount namespace of the container");
  }
  for (const FlagRepair& repair : repairs) TRY(Apply(repair));
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
  const std::string path = fmt::format("/proc/{}/ns/mnt", init);
  const UniqueFd inside(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!inside.valid()) return Error::Errno("open '{}'", path);
  Result<void> result;
  try {
    std::thread([&] { result = ApplyInside(inside.ref(), repairs); }).join();
  } catch (const std::system_error& error) {
    return Error::FromErrno(error.code().value(), "start a thread for a mount namespace");
  }
  return result;
}

}  // namespace crd::runtime
