#pragma once

#include <set>
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
  // Looks which of `places` that are the container's own are there.
  explicit MadeCgroups(const std::vector<CgroupPlace>& places);

  [[nodiscard]] bool all_there() const { return gone_.empty(); }

  // Makes those that were not (`places` as before), and the device filters of all. Where somebody
  // else has made some of them meanwhile, `keeper` is a process that keeps them, or 0: it is moved
  // into the container's own cgroup2, which could not be given controllers with a process above.
  // CGROUP_UNUSABLE.
  Result<void> Make(std::string_view id, const std::vector<CgroupPlace>& places, pid_t keeper = 0);

  MadeCgroups(MadeCgroups&& other) noexcept = default;
  MadeCgroups& operator=(MadeCgroups&&) = delete;
  MadeCgroups(const MadeCgroups&) = delete;
  MadeCgroups& operator=(const MadeCgroups&) = delete;
  ~MadeCgroups();

  // They are the runtime's from now on.
  void Keep() { made_.clear(); }

 private:
  Result<void> MakePlace(const CgroupPlace& place, pid_t keeper);
  Result<void> MakeNested(const CgroupPlace& place);
  Result<void> MakeOne(const std::string& directory, const CgroupPlace& place);

  std::set<std::string> gone_;
  std::vector<std::string> made_;
};

}  // namespace crd::runtime
