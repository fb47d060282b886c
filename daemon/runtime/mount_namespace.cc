#include "daemon/runtime/mount_namespace.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sched.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "daemon/base/run_apart.h"

namespace crd::runtime {
namespace {

Result<void> EnterAndDo(FdRef mount_namespace, const std::function<Result<void>()>& work) {
  // A thread that shares its root and working directory with others may not enter.
  if (::unshare(CLONE_FS) != 0) return Error::Errno("leave the process's working directory");
  if (::setns(mount_namespace.get(), CLONE_NEWNS) != 0) {
    return Error::Errno("enter the mount namespace of the container");
  }
  return work();
}

}  // namespace

Result<void> InMountNamespace(pid_t process, const std::function<Result<void>()>& work) {
  const std::string path = fmt::format("/proc/{}/ns/mnt", process);
  const UniqueFd inside(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!inside.valid()) return Error::Errno("open '{}'", path);
  return RunApart("start a thread for a mount namespace",
                  [&] { return EnterAndDo(inside.ref(), work); });
}

Result<UniqueFd> OpenMount(const std::string& mountpoint, int id) {
  open_how how{};
  how.flags = O_PATH | O_CLOEXEC;
  how.resolve = RESOLVE_NO_SYMLINKS;
  UniqueFd point(
      static_cast<int>(::syscall(SYS_openat2, AT_FDCWD, mountpoint.c_str(), &how, sizeof how)));
  if (!point.valid()) return Error::Errno("open mountpoint '{}'", mountpoint);
  struct statx status {};
  if (::statx(point.get(), "", AT_EMPTY_PATH, STATX_MNT_ID, &status) != 0) {
    return Error::Errno("stat mountpoint '{}'", mountpoint);
  }
  if (status.stx_mnt_id != static_cast<std::uint64_t>(id)) return UniqueFd();
  return point;
}

}  // namespace crd::runtime
