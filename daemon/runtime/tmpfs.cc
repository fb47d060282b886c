#include "daemon/runtime/tmpfs.h"

#include <algorithm>
#include <sstream>
#include <utility>

#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "daemon/base/files.h"
#include "daemon/runtime/archive.h"
#include "daemon/runtime/container_root.h"
#include "daemon/runtime/mount_namespace.h"

namespace crd::runtime {
namespace {

// CRIU's numbers have 20 bits for the minor (4.2, mount.h).
std::uint32_t NumberOf(dev_t device) { return (::major(device) << 20U) | ::minor(device); }

// Whether what is mounted at `index` can be reached by its path.
bool IsInSight(const std::vector<MountEntry>& mounts, std::size_t index) {
  const std::string& path = mounts[index].mountpoint;
  return std::none_of(mounts.begin() + static_cast<std::ptrdiff_t>(index) + 1, mounts.end(),
                      [&](const MountEntry& later) {
                        return later.mountpoint == path || path.starts_with(later.mountpoint + "/");
                      });
}

// "rw,size=65536k" is "size=65536k".
SavedTmpfs Describe(const MountEntry& mount) {
  SavedTmpfs tmpfs{.device = NumberOf(mount.device), .name = mount.source, .options = {}};
  std::istringstream list(mount.super_options);
  for (std::string option; std::getline(list, option, ',');) {
    if (option == "ro") tmpfs.read_only = true;
    if (option == "ro" || option == "rw") continue;
    tmpfs.options += (tmpfs.options.empty() ? "" : ",") + option;
  }
  return tmpfs;
}

Result<void> MakeOne(const SavedTmpfs& tmpfs, FdRef images, const std::string& directory) {
  if (::mkdir(directory.c_str(), 0700) != 0) return Error::Errno("make directory '{}'", directory);
  if (::mount(tmpfs.name.c_str(), directory.c_str(), "tmpfs", 0, tmpfs.options.c_str()) != 0) {
    return Error::Errno("mount a tmpfs with '{}'", tmpfs.options);
  }
  const UniqueFd archive = TRY(OpenRegularAt(images, tmpfs.Archive()));
  const UniqueFd inside = TRY(OpenDirectory(directory));
  TRY(ExtractArchive(archive.ref(), inside.ref()).Annotate("unpack " + tmpfs.Archive()));
  if (tmpfs.read_only && ::mount(nullptr, directory.c_str(), nullptr, MS_REMOUNT | MS_RDONLY,
                                 tmpfs.options.c_str()) != 0) {
    return Error::Errno("make a tmpfs read-only");
  }
  return {};
}

}  // namespace

void ChooseTmpfs(const std::vector<MountEntry>& container, std::vector<SavedMount>& plan) {
  for (std::size_t i = 0; i < plan.size() && i < container.size(); ++i) {
    const MountEntry& mount = container[i];
    if (mount.type != "tmpfs" || !plan[i].key.empty() || mount.root != "/" || mount.propagates ||
        mount.mountpoint == "/" || !plan[i].directory || !IsInSight(container, i)) {
      continue;
    }
    bool alone = true;
    for (std::size_t other = 0; other < plan.size(); ++other) {
      alone &= other == i || container[other].device != mount.device || !plan[other].key.empty();
    }
    if (!alone) continue;
    plan[i].key = mount.mountpoint;
    plan[i].tmpfs = Describe(mount);
  }
}

Result<void> SaveTmpfs(pid_t init, const std::vector<SavedMount>& mounts, FdRef images) {
  const std::vector<MountEntry> table = TRY(ReadMountTable(init));
  std::vector<std::pair<const SavedMount*, UniqueFd>> trees;
  TRY(InMountNamespace(init, [&]() -> Result<void> {
    for (const SavedMount& mount : mounts) {
      if (!mount.tmpfs) continue;
      const auto entry = std::find_if(table.rbegin(), table.rend(), [&](const MountEntry& one) {
        return one.mountpoint == mount.mountpoint && NumberOf(one.device) == mount.tmpfs->device;
      });
      const UniqueFd point =
          entry == table.rend() ? UniqueFd() : TRY(OpenMount(mount.mountpoint, entry->id));
      if (!point.valid()) {
        return Error{.code = Code::kFailedPrecondition,
                     .message = fmt::format("save '{}': it was unmounted, or mounted over, while "
                                            "the checkpoint was made",
                                            mount.mountpoint)};
      }
      // Without what is mounted on it.
      UniqueFd tree(static_cast<int>(::syscall(
          SYS_open_tree, point.get(), "", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH)));
      if (!tree.valid()) return Error::Errno("open the mount '{}'", mount.mountpoint);
      trees.emplace_back(&mount, std::move(tree));
    }
    return {};
  }));
  for (const auto& [mount, tree] : trees) {
    const UniqueFd directory(::openat(tree.get(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!directory.valid()) return Error::Errno("open '{}'", mount->mountpoint);
    const UniqueFd file = TRY(CreateFileAt(images, mount->tmpfs->Archive(), ""));
    TRY(WriteArchive(directory.ref(), file.ref()).Annotate("save " + mount->mountpoint));
  }
  return {};
}

Result<RestoredTmpfs> RestoredTmpfs::Make(std::vector<SavedMount>& mounts, FdRef images,
                                          std::string directory) {
  if (::mkdir(directory.c_str(), 0700) != 0 && errno != EEXIST) {
    return Error::Errno("make directory '{}'", directory);
  }
  if (::mount("crd", directory.c_str(), "tmpfs", MS_NOSUID | MS_NOEXEC, "mode=700") != 0) {
    const Error why = Error::Errno("mount a tmpfs on '{}'", directory);
    ::rmdir(directory.c_str());
    return why;
  }
  RestoredTmpfs made(std::move(directory));
  if (::mount(nullptr, made.path().c_str(), nullptr, MS_PRIVATE, nullptr) != 0) {
    return Error::Errno("make the mount '{}' private", made.path());
  }
  int number = 0;
  for (SavedMount& mount : mounts) {
    if (!mount.tmpfs) continue;
    mount.source = fmt::format("{}/{}", made.path(), number++);
    TRY(MakeOne(*mount.tmpfs, images, mount.source).Annotate("restore " + mount.mountpoint));
  }
  return made;
}

RestoredTmpfs::RestoredTmpfs(RestoredTmpfs&& other) noexcept
    : path_(std::exchange(other.path_, "")) {}

RestoredTmpfs::~RestoredTmpfs() {
  if (!path_.empty()) RemoveLeftOverRoot(path_);
}

}  // namespace crd::runtime
