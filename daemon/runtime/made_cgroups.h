#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <sys/types.h>

#include "daemon/base/result.h"
#include "daemon/runtime/cgroups.h"

namespace crd::runtime {

// The cgroups of a container that is restored, made where they are not there any more, with the
// limits that they had; those within its own, too, of which cgroup2 gets its limits only when its
// processes are where they belong (nested_cgroups.h). Those that crd has made are removed again,
// the innermost first, when this goes out of scope before Keep(). Belongs to one restore.
class MadeCgroups {
 public:
  // Those of `places` that are the container's own, and their device filters. Where systemd has
  // just made some of them `keeper` is a process that keeps these, else 0: it is moved into the
  // container's own cgroup2, which could not be given controllers with a process above it.
  // CGROUP_UNUSABLE.
  static Result<MadeCgroups> Make(std::string_view id, const std::vector<CgroupPlace>& places,
                                  pid_t keeper);

  MadeCgroups(MadeCgroups&& other) noexcept = default;
  MadeCgroups& operator=(MadeCgroups&&) = delete;
  MadeCgroups(const MadeCgroups&) = delete;
  MadeCgroups& operator=(const MadeCgroups&) = delete;
  ~MadeCgroups();

  // They are the runtime's from now on.
  void Keep() { made_.clear(); }

 private:
  MadeCgroups() = default;
  Result<void> MakePlace(const CgroupPlace& place, pid_t keeper);
  Result<void> MakeNested(const CgroupPlace& place);
  Result<void> MakeOne(const std::string& directory, const CgroupPlace& place);

  std::vector<std::string> made_;
};

}  // namespace crd::runtime
