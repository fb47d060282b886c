#include "daemon/runtime/container_root.h"

#include <utility>

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "daemon/base/log.h"
#include "daemon/base/unique_fd.h"
#include "daemon/runtime/refusals.h"

namespace crd::runtime {
namespace {

UniqueFd OpenInside(FdRef root, const std::string& path) {
  open_how how{};
  how.flags = O_PATH | O_CLOEXEC;
  // Mountpoints have no links in them, or the runtime would not have mounted there: one that has is
  // of a root that was changed, and CRIU would follow it out of the root.
  how.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_SYMLINKS;
  return UniqueFd(
      static_cast<int>(::syscall(SYS_openat2, root.get(), path.c_str(), &how, sizeof how)));
}

// Makes the last component of a mountpoint, and its parents where they lack, too.
Result<void> MakeMountpoint(FdRef root, const SavedMount& mount) {
  const UniqueFd there = OpenInside(root, mount.mountpoint);
  if (there.valid()) {
    struct stat status {};
    if (::fstat(there.get(), &status) != 0) return Error::Errno("stat it");
    if (S_ISDIR(status.st_mode) == mount.directory) return {};
    return Error{.code = Code::kFailedPrecondition,
                 .message = mount.directory ? "it is no directory" : "it is a directory"};
  }
  const std::size_t slash = mount.mountpoint.rfind('/');
  const std::string parent = slash == 0 ? "/" : mount.mountpoint.substr(0, slash);
  const std::string name = mount.mountpoint.substr(slash + 1);
  if (parent != "/") {
    SavedMount above{.mountpoint = parent, .directory = true};
    TRY(MakeMountpoint(root, above));
  }
  const UniqueFd directory = OpenInside(root, parent);
  if (!directory.valid()) return Error::Errno("open its parent");
  // Through /proc: nothing can be made in a directory that is only open as a path.
  const std::string path = fmt::format("/proc/self/fd/{}/{}", directory.get(), name);
  const int made =
      mount.directory ? ::mkdir(path.c_str(), 0755) : ::mknod(path.c_str(), S_IFREG | 0644, 0);
  if (made != 0) return Error::Errno("make it");
  return {};
}

Result<void> Prepare(const SavedContainer& container, const std::string& root) {
  const UniqueFd directory(::open(root.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!directory.valid()) return Error::Errno("open '{}'", root);
  for (const SavedMount& mount : container.mounts) {
    if (!mount.source.empty() && ::access(mount.source.c_str(), F_OK) != 0) {
      return refusal::MountSourceGone(container.id, mount.mountpoint, mount.source);
    }
    if (!mount.on_root || mount.mountpoint == "/") continue;
    if (auto made = MakeMountpoint(directory.ref(), mount); !made.ok()) {
      return refusal::MountpointUnusable(container.id, mount.mountpoint, made.error());
    }
  }
  return {};
}

}  // namespace

Result<ContainerRoot> ContainerRoot::Mount(const SavedContainer& container,
                                           std::string mountpoint) {
  if (::mkdir(mountpoint.c_str(), 0700) != 0 && errno != EEXIST) {
    return Error::Errno("make directory '{}'", mountpoint);
  }
  if (::mount(container.rootfs.c_str(), mountpoint.c_str(), nullptr, MS_BIND | MS_REC, nullptr) !=
      0) {
    const Error why = Error::Errno("mount it");
    ::rmdir(mountpoint.c_str());
    return refusal::RootGone(container.id, container.rootfs, why);
  }
  ContainerRoot root(std::move(mountpoint));
  // What CRIU mounts on it while it works is nobody else's business.
  if (::mount(nullptr, root.path().c_str(), nullptr, MS_PRIVATE | MS_REC, nullptr) != 0) {
    return Error::Errno("make the mount '{}' private", root.path());
  }
  TRY(Prepare(container, root.path()));
  return root;
}

ContainerRoot::ContainerRoot(ContainerRoot&& other) noexcept
    : path_(std::exchange(other.path_, "")) {}

void RemoveLeftOverRoot(const std::string& mountpoint) {
  // EINVAL: there is a directory and nothing on it.
  while (::umount2(mountpoint.c_str(), MNT_DETACH | UMOUNT_NOFOLLOW) == 0) {
  }
  ::rmdir(mountpoint.c_str());
}

ContainerRoot::~ContainerRoot() {
  if (path_.empty()) return;
  if (::umount2(path_.c_str(), MNT_DETACH | UMOUNT_NOFOLLOW) != 0 || ::rmdir(path_.c_str()) != 0) {
    spdlog::error("remove the mount '{}': {}", path_, Error::Errno("unmount").message);
  }
}

}  // namespace crd::runtime
