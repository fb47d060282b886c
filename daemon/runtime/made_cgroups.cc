#include "daemon/runtime/made_cgroups.h"

#include <set>
#include <sstream>

#include <sys/stat.h>
#include <unistd.h>

#include "daemon/base/files.h"
#include "daemon/base/log.h"
#include "daemon/runtime/cgroup_file.h"
#include "daemon/runtime/cgroup_limits.h"
#include "daemon/runtime/device_filter.h"
#include "daemon/runtime/nested_cgroups.h"
#include "daemon/runtime/refusals.h"

namespace crd::runtime {
namespace {

// Of the hierarchy that a place is in.
std::string RootOf(const CgroupPlace& place) {
  return place.directory.substr(0, place.directory.size() - place.path.size());
}

std::string ParentOf(const std::string& directory) {
  return directory.substr(0, directory.rfind('/'));
}

// All directories from beneath the hierarchy's root to the place's own.
std::vector<std::string> WayTo(const CgroupPlace& place) {
  const std::string root = RootOf(place);
  std::vector<std::string> way;
  for (std::size_t slash = place.path.find('/', 1);; slash = place.path.find('/', slash + 1)) {
    way.push_back(root + place.path.substr(0, slash));
    if (slash == std::string::npos) return way;
  }
}

// One that stayed may have been given others since.
Result<void> FilterDevices(const std::string& directory, const std::vector<std::string>& filters,
                           bool stayed) {
  if (filters.empty() || (stayed && !ReadDeviceFilters(directory).empty())) return {};
  return SetDeviceFilters(directory, filters);
}

// A cpuset of v1 begins without processors and memory, and takes no process then.
void InheritCpus(const std::string& parent, const std::string& directory) {
  for (const char* name : {"/cpuset.cpus", "/cpuset.mems"}) {
    if (const auto text = ReadFile(parent + name); text.ok()) {
      static_cast<void>(WriteCgroupFile(directory + name, *text));
    }
  }
}

// Controllers that a cgroup2 gives to those beneath it: of those that limits ask for, and that its
// own is to give on.
void EnableControllers(const std::string& parent, const CgroupPlace& place) {
  std::set<std::string> controllers;
  for (const auto& limit : place.limits) {
    controllers.insert(limit.first.substr(0, limit.first.find('.')));
  }
  // Its files are there without any.
  controllers.erase("cgroup");
  std::istringstream given_on(place.subtree_control);
  for (std::string one; given_on >> one;) controllers.insert(one);
  for (const std::string& controller : controllers) {
    // What cannot be enabled shows when the limit is set, or it is given on.
    static_cast<void>(WriteCgroupFile(parent + "/cgroup.subtree_control", "+" + controller));
  }
}

// A cgroup2 that gives controllers takes no process, and CRIU has to be in it.
Result<void> TakeControllers(const std::string& directory) {
  for (const std::string& one : InnermostFirst(directory)) {
    const std::string file = one + "/cgroup.subtree_control";
    std::istringstream given(TRY(ReadFile(file)));
    for (std::string controller; given >> controller;) TRY(WriteCgroupFile(file, "-" + controller));
  }
  return {};
}

Result<void> GiveTo(const NestedCgroup& nested, const std::string& directory) {
  if (nested.uid == 0 && nested.gid == 0) return {};
  if (::chown(directory.c_str(), nested.uid, nested.gid) != 0) {
    return Error::Errno("give '{}' to its owner", directory);
  }
  for (const std::string& name : nested.owned) {
    const std::string path = fmt::format("{}/{}", directory, name);
    // Controllers, with their files, come later.
    if (::lchown(path.c_str(), nested.uid, nested.gid) != 0 && errno != ENOENT) {
      return Error::Errno("give '{}' to its owner", path);
    }
  }
  return {};
}

}  // namespace

Result<void> MadeCgroups::MakeOne(const std::string& directory, const CgroupPlace& place) {
  if (::mkdir(directory.c_str(), 0755) != 0) {
    if (errno == EEXIST) return {};
    return Error::Errno("make '{}'", directory);
  }
  made_.push_back(directory);
  if (place.Has("cpuset")) InheritCpus(ParentOf(directory), directory);
  return {};
}

Result<void> MadeCgroups::MakePlace(const CgroupPlace& place, pid_t keeper) {
  const std::vector<std::string> way = WayTo(place);
  for (const std::string& directory : way) TRY(MakeOne(directory, place));
  if (place.v2()) {
    if (keeper != 0) {
      TRY(WriteCgroupFile(place.directory + "/cgroup.procs", std::to_string(keeper)));
    }
    for (const std::string& directory : way) EnableControllers(ParentOf(directory), place);
  }
  return WriteLimits(place.directory, place.limits);
}

Result<void> MadeCgroups::MakeNested(const CgroupPlace& place) {
  if (place.v2()) TRY(TakeControllers(place.directory));
  for (const NestedCgroup& nested : place.nested) {
    const std::string directory = place.directory + nested.path;
    const bool stayed = ::mkdir(directory.c_str(), 0755) != 0;
    if (!stayed) {
      made_.push_back(directory);
    } else if (errno != EEXIST) {
      return Error::Errno("make '{}'", directory);
    }
    if (place.Has("cpuset")) InheritCpus(ParentOf(directory), directory);
    // Those of cgroup2 come with its controllers, which are given once CRIU is out of the way.
    if (!place.v2()) TRY(WriteLimits(directory, nested.limits));
    TRY(GiveTo(nested, directory));
    TRY(FilterDevices(directory, nested.device_filters, stayed));
  }
  return {};
}

Result<MadeCgroups> MadeCgroups::Make(std::string_view id, const std::vector<CgroupPlace>& places,
                                      pid_t keeper) {
  MadeCgroups cgroups;
  for (const CgroupPlace& place : places) {
    if (!place.own) continue;
    // One that stayed may have been given other limits since.
    const bool stayed = keeper == 0 && ::access(place.directory.c_str(), F_OK) == 0;
    auto made = stayed ? Result<void>() : cgroups.MakePlace(place, keeper);
    if (made.ok()) made = FilterDevices(place.directory, place.device_filters, stayed);
    if (made.ok()) made = cgroups.MakeNested(place);
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
