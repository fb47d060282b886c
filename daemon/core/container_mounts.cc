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

namespace {

// A relative link: whatever root CRIU's processes have by then, it leads from the view to the
// image.
Result<void> LinkImage(FdRef view, const std::string& name, const std::string& target) {
  if (::symlinkat(target.c_str(), view.get(), name.c_str()) == 0) return {};
  // What was changed for this restore is there already.
  return errno == EEXIST ? Result<void>() : Error::Errno("link image '{}'", name);
}

}  // namespace

Result<ContainerMounts> ContainerMounts::Make(runtime::SavedContainer& container, FdRef images,
                                              const std::string& images_path,
                                              const std::string& directory) {
  runtime::RestoredTmpfs tmpfs =
      TRY(runtime::RestoredTmpfs::Make(container.mounts, images, directory));
  const std::string view = directory + "/images";
  if (::mkdir(view.c_str(), 0700) != 0) return Error::Errno("make directory '{}'", view);
  UniqueFd changed = TRY(OpenDirectory(view));
  TRY(criu::MakeMountsExternal(images, TmpfsInImages(container), changed.ref()));
  const std::string there = std::filesystem::path(images_path).lexically_relative(view).string();
  for (const std::string& name : TRY(ListDirectory(images))) {
    TRY(LinkImage(changed.ref(), name, fmt::format("{}/{}", there, name)));
  }
  return ContainerMounts(std::move(tmpfs), std::move(changed));
}

}  // namespace crd
