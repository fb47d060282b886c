#include "daemon/runtime/mount_sources.h"

#include <map>
#include <string>
#include <utility>

#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "daemon/base/run_apart.h"
#include "daemon/runtime/refusals.h"

namespace crd::runtime {
namespace {

// Meant for mounts that come and go (hier(7)), and nothing of CRIU's is there.
constexpr const char* kPlace = "/mnt";

struct Source {
  UniqueFd tree;  // a mount of its own, without what is mounted on it
  std::string place;
};
// By what they were.
using Sources = std::map<std::string, Source>;

Result<Source> Open(const std::string& path) {
  UniqueFd tree(static_cast<int>(
      ::syscall(SYS_open_tree, AT_FDCWD, path.c_str(), OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC)));
  if (!tree.valid()) return Error::Errno("open '{}'", path);
  return Source{.tree = std::move(tree), .place = ""};
}

Result<void> Attach(const Source& source) {
  struct stat status {};
  if (::fstat(source.tree.get(), &status) != 0) return Error::Errno("stat it");
  const char* place = source.place.c_str();
  const int made =
      S_ISDIR(status.st_mode) ? ::mkdir(place, 0700) : ::mknod(place, S_IFREG | 0600, 0);
  if (made != 0) return Error::Errno("make '{}'", place);
  if (::syscall(SYS_move_mount, source.tree.get(), "", AT_FDCWD, place, MOVE_MOUNT_F_EMPTY_PATH) !=
      0) {
    return Error::Errno("mount it on '{}'", place);
  }
  return {};
}

// On a thread of its own, which is in the new namespace then.
Result<UniqueFd> Make(Sources& sources) {
  if (::unshare(CLONE_FS | CLONE_NEWNS) != 0) return Error::Errno("make a mount namespace");
  // What the host unmounts goes here, too; what is mounted here is nobody else's business.
  if (::mount(nullptr, "/", nullptr, MS_REC | MS_SLAVE, nullptr) != 0) {
    return Error::Errno("make the mounts of a mount namespace private");
  }
  int number = 0;
  for (auto& [path, source] : sources) {
    source = TRY(Open(path));
    source.place = fmt::format("{}/{}", kPlace, number++);
  }
  if (::mount("crd", kPlace, "tmpfs", MS_NOSUID | MS_NOEXEC, "mode=711") != 0) {
    return Error::Errno("mount a tmpfs on '{}'", kPlace);
  }
  for (const auto& [path, source] : sources) {
    TRY(Attach(source).Annotate(fmt::format("show '{}' to a user namespace", path)));
  }
  UniqueFd made(::open("/proc/thread-self/ns/mnt", O_RDONLY | O_CLOEXEC));
  if (!made.valid()) return Error::Errno("open a mount namespace");
  return made;
}

}  // namespace

Result<UniqueFd> ShowMountSources(const std::string& id, std::vector<SavedMount>& mounts) {
  Sources sources;
  for (const SavedMount& mount : mounts) {
    if (mount.key.empty()) continue;
    if (::access(mount.source.c_str(), F_OK) != 0) {
      return refusal::MountSourceGone(id, mount.mountpoint, mount.source);
    }
    sources.try_emplace(mount.source);
  }
  UniqueFd made =
      TRY(RunApart("start a thread for a mount namespace", [&] { return Make(sources); }));
  for (SavedMount& mount : mounts) {
    if (!mount.key.empty()) mount.source = sources[mount.source].place;
  }
  return made;
}

}  // namespace crd::runtime
