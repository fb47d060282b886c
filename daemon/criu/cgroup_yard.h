#pragma once

#include <string>

#include "daemon/base/result.h"
#include "daemon/base/unique_fd.h"

namespace crd::criu {

// Lets CRIU make the cgroup namespace of a tree, which only then belongs to the tree's user
// namespace. CRIU makes one where the images tell of one, in the root, as it moves the tree into
// its cgroups (4.2, cgroup.c: prepare_cgns); the namespace gets the cgroups as roots that the root
// is in by then. It moves by writing into files beneath a "yard", where it expects to find all
// hierarchies mounted.
//
// This yard has those files, and no cgroups: CRIU is started where the tree belongs, and to be
// moved there once more would wait for a grace period per hierarchy. For
// RestoreRequest::cgroup_yard; is removed at the end of the scope.
class CgroupYard {
 public:
  // `directory` is made. kDataLoss if cgroup.img cannot be read, or knows of no cgroup namespace.
  static Result<CgroupYard> Make(FdRef images, std::string directory);

  CgroupYard(CgroupYard&& other) noexcept;
  CgroupYard& operator=(CgroupYard&&) = delete;
  CgroupYard(const CgroupYard&) = delete;
  CgroupYard& operator=(const CgroupYard&) = delete;
  ~CgroupYard();

  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  explicit CgroupYard(std::string path) : path_(std::move(path)) {}
  std::string path_;  // empty: somebody else's now
};

}  // namespace crd::criu
