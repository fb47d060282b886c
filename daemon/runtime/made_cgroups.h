#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "daemon/base/result.h"
#include "daemon/runtime/cgroups.h"

namespace crd::runtime {

// The cgroups of a container that is restored, made where they are not there any more, with the
// limits that they had. Those that crd has made are removed again when this goes out of scope
// before Keep(). Belongs to one restore.
class MadeCgroups {
 public:
  // Those of `places` that are the container's own; `before`, one by one, where it was, which has
  // device filters that nobody else has. CGROUP_UNUSABLE.
  static Result<MadeCgroups> Make(std::string_view id, const std::vector<CgroupPlace>& before,
                                  const std::vector<CgroupPlace>& places);

  MadeCgroups(MadeCgroups&& other) noexcept = default;
  MadeCgroups& operator=(MadeCgroups&&) = delete;
  MadeCgroups(const MadeCgroups&) = delete;
  MadeCgroups& operator=(const MadeCgroups&) = delete;
  ~MadeCgroups();

  // They are the runtime's from now on.
  void Keep() { made_.clear(); }

 private:
  MadeCgroups() = default;
  Result<void> MakePlace(const CgroupPlace& place);
  Result<void> MakeOne(const std::string& directory, const CgroupPlace& place);

  std::vector<std::string> made_;
};

}  // namespace crd::runtime
