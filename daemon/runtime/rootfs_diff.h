#pragma once

#include <optional>
#include <string>

#include <sys/types.h>

#include "daemon/base/going_on.h"
#include "daemon/base/result.h"
#include "daemon/base/unique_fd.h"
#include "daemon/runtime/base_comparison.h"

namespace crd::runtime {

// The writable layer of a running container: what is in its root besides what the root was made
// of. Belongs to one checkpoint; one thread at a time.
class RootfsDiff {
 public:
  // Finds what to compare with, and changes nothing. Without a `base`, the root must be an overlay
  // whose upper directory crd can open: ROOTFS_NOT_OVERLAY, ROOTFS_LAYER_UNUSABLE. A `base` is a
  // directory that the root was made of: ROOTFS_BASE_UNUSABLE.
  static Result<RootfsDiff> Open(pid_t init, const std::string& id, const std::string& base);

  // Compares a base with the root while the container runs, so that Write() is quicker.
  Result<void> LookAhead(const GoingOn& going_on);

  // Writes the layer to `images`, while nothing of the container runs. Fails as WriteLayer() does.
  Result<void> Write(FdRef images, const GoingOn& going_on);

 private:
  RootfsDiff(std::string id, UniqueFd root) : id_(std::move(id)), root_(std::move(root)) {}
  Result<void> OpenUpper(const std::string& super_options);
  Result<void> OpenBase(const std::string& base);

  std::string id_;
  UniqueFd root_;   // the container's, without what is mounted in it
  UniqueFd upper_;  // of its overlay, if there is no base
  std::string mark_prefix_;
  UniqueFd base_;
  BaseComparison comparison_;
};

}  // namespace crd::runtime
