#include "daemon/runtime/made_cgroups.h"

#include <sys/stat.h>
#include <unistd.h>

#include "daemon/base/files.h"
#include "daemon/base/log.h"
#include "daemon/runtime/cgroup_file.h"
#include "daemon/runtime/cgroup_limits.h"
#include "daemon/runtime/device_filter.h"
#include "daemon/runtime/refusals.h"

namespace crd::runtime {
namespace {

// Of the hierarchy that a place is in.
std::string RootOf(const CgroupPlace& place) {
  return place.directory.substr(0, place.directory.size() - place.path.size());
}

// A cpuset of v1 begins without processors and memory, and takes no process then.
void InheritCpus(const std::string& parent, const std::string& directory) {
  for (const char* name : {"/cpuset.cpus", "/cpuset.mems"}) {
    if (const auto text = ReadFile(parent + name); text.ok()) {
      static_cast<void>(WriteCgroupFile(directory + name, *text));
    }
  }
}

// Controllers that a cgroup2 gives to those beneath it: of those that limits ask for.
void EnableControllers(const std::string& parent, const CgroupPlace& place) {
  for (const auto& limit : place.limits) {
    const std::string controller = limit.first.substr(0, limit.first.find('.'));
    // What cannot be enabled shows when the limit is set.
    static_cast<void>(WriteCgroupFile(parent + "/cgroup.subtree_control", "+" + controller));
  }
}

}  // namespace

Result<void> MadeCgroups::MakeOne(const std::string& directory, const CgroupPlace& place) {
  const std::string parent = directory.substr(0, directory.rfind('/'));
  if (place.v2()) EnableControllers(parent, place);
  if (::mkdir(directory.c_str(), 0755) != 0) {
    if (errno == EEXIST) return {};
    return Error::Errno("make '{}'", directory);
  }
  made_.push_back(directory);
  if (place.Has("cpuset")) InheritCpus(parent, directory);
  return {};
}

Result<void> MadeCgroups::MakePlace(const CgroupPlace& place) {
  if (::access(place.directory.c_str(), F_OK) == 0) return {};
  const std::string root = RootOf(place);
  for (std::size_t slash = place.path.find('/', 1);; slash = place.path.find('/', slash + 1)) {
    TRY(MakeOne(root + place.path.substr(0, slash), place));
    if (slash == std::string::npos) break;
  }
  return WriteLimits(place.directory, place.limits);
}

Result<MadeCgroups> MadeCgroups::Make(std::string_view id, const std::vector<CgroupPlace>& before,
                                      const std::vector<CgroupPlace>& places) {
  MadeCgroups cgroups;
  for (std::size_t i = 0; i < places.size(); ++i) {
    const CgroupPlace& place = places[i];
    if (!place.own) continue;
    auto made = cgroups.MakePlace(place);
    if (made.ok() && place.device_filter && !HasDeviceFilter(place.directory)) {
      made = CopyDeviceFilter(before[i].directory, place.directory)
                 .Annotate("take its device filter over");
    }
    if (!made.ok()) return refusal::CgroupUnusable(id, place.directory, made.error());
  }
  return cgroups;
}

MadeCgroups::~MadeCgroups() {
  for (auto one = made_.rbegin(); one != made_.rend(); ++one) {
    if (::rmdir(one->c_str()) != 0 && errno != ENOENT) {
      spdlog::error("{}", Error::Errno("remove the cgroup '{}'", *one).message);
    }
  }
}

}  // namespace crd::runtime
