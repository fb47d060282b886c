#pragma once

#include <string>
#include <vector>

#include <sys/types.h>

#include "daemon/base/result.h"
#include "daemon/base/unique_fd.h"
#include "daemon/runtime/mount_table.h"
#include "daemon/runtime/saved_container.h"

namespace crd::runtime {

// A container's tmpfs mounts, which runtimes make by the half dozen to mask a path each.

// Finds those that crd saves itself: a whole file system of the container's own, in sight, that
// shares no mounts; the rest stays CRIU's. Completes `plan`, which is in the order of `container`.
// Pure.
void ChooseTmpfs(const std::vector<MountEntry>& container, std::vector<SavedMount>& plan);

// Writes what is in them to `images`, while nothing of the container runs. Any thread.
Result<void> SaveTmpfs(pid_t init, const std::vector<SavedMount>& mounts, FdRef images);

// New ones with the old content, beneath a directory of crd's. Unmounted when it goes out of scope,
// which those that CRIU has bound into the container survive. Belongs to one restore.
class RestoredTmpfs {
 public:
  // Sets the sources of the mounts. `directory` is made, and is on a tmpfs of its own then.
  static Result<RestoredTmpfs> Make(std::vector<SavedMount>& mounts, FdRef images,
                                    std::string directory);

  RestoredTmpfs(RestoredTmpfs&& other) noexcept;
  RestoredTmpfs& operator=(RestoredTmpfs&&) = delete;
  RestoredTmpfs(const RestoredTmpfs&) = delete;
  RestoredTmpfs& operator=(const RestoredTmpfs&) = delete;
  ~RestoredTmpfs();

  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  explicit RestoredTmpfs(std::string path) : path_(std::move(path)) {}
  std::string path_;
};

}  // namespace crd::runtime
