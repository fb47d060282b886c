#pragma once

#include <string>
#include <vector>

#include "daemon/base/result.h"
#include "daemon/base/unique_fd.h"
#include "daemon/criu/images.h"
#include "daemon/runtime/saved_container.h"
#include "daemon/runtime/tmpfs.h"

namespace crd {

// The mounts that crd saves itself, as CRIU's images have them.
std::vector<criu::ImageMount> TmpfsInImages(const runtime::SavedContainer& container);

// Those mounts made anew for a restore, and images that tell CRIU to take them from there: the
// checkpoint's own say what `runc restore` needs, that CRIU is to make them. Belongs to one
// restore.
class ContainerMounts {
 public:
  // Sets the sources of the mounts. `images_path` is where `images` are; `directory` is made, with
  // everything in it gone at the end of the scope.
  static Result<ContainerMounts> Make(runtime::SavedContainer& container, FdRef images,
                                      const std::string& images_path, const std::string& directory);

  // For CRIU, instead of the checkpoint's own.
  [[nodiscard]] FdRef images() const { return images_.ref(); }

 private:
  ContainerMounts(runtime::RestoredTmpfs tmpfs, UniqueFd images)
      : tmpfs_(std::move(tmpfs)), images_(std::move(images)) {}
  runtime::RestoredTmpfs tmpfs_;
  UniqueFd images_;
};

}  // namespace crd
