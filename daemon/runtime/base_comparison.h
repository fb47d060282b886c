#pragma once

#include <cstdint>
#include <ctime>
#include <unordered_map>

#include "daemon/runtime/rootfs_changes.h"

namespace crd::runtime {

// Compares a root with the directory that it was made of: types, modes, owners, modification times,
// links, extended attributes, and all content. What was equal once is known by its change time, so
// that a second comparison, for which somebody stands still, reads only what has changed since the
// first. Belongs to one checkpoint; one thread.
class BaseComparison {
 public:
  Result<RootfsChanges> Run(FdRef base, FdRef root, const GoingOn& going_on);

  // Files whose content was read by Run(), all in all.
  [[nodiscard]] std::uint64_t files_read() const { return files_read_; }

 private:
  class Walk;
  std::unordered_map<ino_t, timespec> equal_;  // change times of files with equal content
  std::uint64_t files_read_ = 0;
};

}  // namespace crd::runtime
