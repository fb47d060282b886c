#include "daemon/core/container_mounts.h"

#include <filesystem>
#include <utility>

#include <sys/stat.h>
#include <unistd.h>

#include "daemon/base/files.h"

namespace crd {

std::vector<criu::ImageMount> TmpfsInImages(const runtime::SavedContainer& container) {
  std::vector<criu::ImageMount> mounts;
  for (const runtime::SavedMount& mount : container.mounts) {
    if (mount.tmpfs) {
      mounts.push_back({.device = mount.tmpfs->device, .mountpoint = mount.mountpoint});
    }
  }
  return mounts;
}

Result<ContainerMounts> ContainerMounts::Make(runtime::SavedContainer& container, FdRef images,
                                              const std::string& images_path,
                                              const std::string& directory) {
  runtime::RestoredTmpfs tmpfs =
      TRY(runtime::RestoredTmpfs::Make(container.mounts, images, directory));
  const std::string view = directory + "/images";
  if (::mkdir(view.c_str(), 0700) != 0) return Error::Errno("make directory '{}'", view);
  UniqueFd changed = TRY(OpenDirectory(view));
  TRY(criu::MakeMountsExternal(images, TmpfsInImages(container), changed.ref()));
  // Relative links: processes that CRIU restores follow them when they have another root already.
  const std::string there = std::filesystem::path(images_path).lexically_relative(view).string();
  for (const std::string& name : TRY(ListDirectory(images))) {
    const std::string target = there + "/" + name;
    if (::symlinkat(target.c_str(), changed.get(), name.c_str()) != 0 && errno != EEXIST) {
      return Error::Errno("link image '{}'", name);
    }
  }
  return ContainerMounts(std::move(tmpfs), std::move(changed));
}

}  // namespace crd
