#pragma once

#include <string>

#include "daemon/base/result.h"
#include "daemon/runtime/saved_container.h"

namespace crd::runtime {

// A container's root file system, bind-mounted for CRIU with everything beneath it, and its
// mountpoints made; unmounted again when it goes out of scope. CRIU needs a mount to make "/" of,
// and the restored container has one of its own then. Belongs to one restore.
class ContainerRoot {
 public:
  // Mounts it on `mountpoint`, a directory that is made and removed again. ROOTFS_GONE,
  // MOUNT_SOURCE_GONE, MOUNTPOINT_UNUSABLE: the root may be hostile, so nothing is looked up beyond
  // it, and no link is followed out of it.
  static Result<ContainerRoot> Mount(const SavedContainer& container, std::string mountpoint);

  ContainerRoot(ContainerRoot&& other) noexcept;
  ContainerRoot& operator=(ContainerRoot&&) = delete;
  ContainerRoot(const ContainerRoot&) = delete;
  ContainerRoot& operator=(const ContainerRoot&) = delete;
  ~ContainerRoot();

  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  explicit ContainerRoot(std::string path) : path_(std::move(path)) {}
  std::string path_;
};

// Unmounts what a restore that nobody finished had mounted there; does nothing if nothing is.
void RemoveLeftOverRoot(const std::string& mountpoint);

}  // namespace crd::runtime
