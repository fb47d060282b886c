#include "daemon/runtime/nested_cgroups.h"

#include <algorithm>
#include <cerrno>
#include <set>
#include <sstream>

#include <fcntl.h>
#include <sys/stat.h>

#include "daemon/base/files.h"
#include "daemon/base/proc.h"
#include "daemon/runtime/cgroup_file.h"
#include "daemon/runtime/cgroup_limits.h"
#include "daemon/runtime/device_filter.h"
#include "daemon/runtime/refusals.h"

namespace crd::runtime {
namespace {

std::string Word(const std::string& path) {
  const auto text = ReadFile(path);
  if (!text.ok()) return "";
  return text->substr(0, text->find('\n'));
}

// Of itself: below a frozen one all are.
bool IsFrozenItself(const CgroupPlace& place, const std::string& directory) {
  return Word(directory + (place.v2() ? "/cgroup.freeze" : "/freezer.self_freezing")) == "1";
}

std::vector<std::string> FiltersOf(const CgroupPlace& place, const std::string& directory) {
  return place.v2() ? ReadDeviceFilters(directory) : std::vector<std::string>();
}

Result<std::vector<std::string>> FilesOf(const std::string& directory, const struct stat& owner) {
  std::vector<std::string> names;
  const UniqueFd opened = TRY(OpenDirectory(directory));
  for (std::string& name : TRY(ListDirectory(opened.ref()))) {
    struct stat status {};
    if (::fstatat(opened.get(), name.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0) continue;
    const bool is_its = status.st_uid == owner.st_uid && status.st_gid == owner.st_gid;
    if (S_ISREG(status.st_mode) && is_its) names.push_back(std::move(name));
  }
  return names;
}

Result<std::vector<pid_t>> Processes(const std::string& directory) {
  std::vector<pid_t> pids;
  std::istringstream text(TRY(ReadFile(directory + "/cgroup.procs")));
  for (pid_t pid = 0; text >> pid;) pids.push_back(pid);
  return pids;
}

bool HasThreads(pid_t pid) {
  const auto process = proc::ProcDir::Open(pid);
  const auto status =
      process.ok() ? proc::ReadStatus(*process) : Result<proc::Status>(process.error());
  return status.ok() && status->threads > 1;
}

// Reads one place.
class Reader {
 public:
  Reader(std::string_view id, CgroupPlace& place) : id_(id), place_(place) {}

  Result<void> Run() {
    place_.nested.clear();
    if (place_.v2()) place_.subtree_control = Word(place_.directory + "/cgroup.subtree_control");
    const std::vector<std::string> within = CgroupsWithin(place_.directory);
    if (within.empty()) return {};
    TRY(SeeProcesses(place_.directory));
    for (const std::string& directory : within) TRY(Add(directory));
    return {};
  }

 private:
  Result<void> Add(const std::string& directory) {
    if (place_.v2() && Word(directory + "/cgroup.type").find("thread") != std::string::npos) {
      return refusal::CgroupOfThreads(id_, directory);
    }
    if (IsFrozenItself(place_, directory)) return refusal::CgroupFrozenInside(id_, directory);
    struct stat status {};
    if (::stat(directory.c_str(), &status) != 0) return Error::Errno("look at '{}'", directory);
    NestedCgroup nested{.path = directory.substr(place_.directory.size()),
                        .limits = ReadLimits(directory),
                        .device_filters = FiltersOf(place_, directory),
                        .uid = status.st_uid,
                        .gid = status.st_gid};
    if (status.st_uid != 0 || status.st_gid != 0) nested.owned = TRY(FilesOf(directory, status));
    if (place_.v2()) nested.subtree_control = Word(directory + "/cgroup.subtree_control");
    for (const pid_t pid : TRY(SeeProcesses(directory))) {
      // One that has just ended is nowhere.
      if (const auto inner = proc::ReadInnermostPid(pid); inner.ok()) nested.pids.push_back(*inner);
    }
    place_.nested.push_back(std::move(nested));
    return {};
  }

  // The kernel lists a process in each cgroup of v1 that one of its threads is in.
  Result<std::vector<pid_t>> SeeProcesses(const std::string& directory) {
    std::vector<pid_t> pids = TRY(Processes(directory));
    for (const pid_t pid : pids) {
      // One that has a single thread has been moved meanwhile.
      if (!seen_.insert(pid).second && HasThreads(pid)) {
        return refusal::CgroupOfThreads(id_, directory);
      }
    }
    return pids;
  }

  std::string_view id_;
  CgroupPlace& place_;
  std::set<pid_t> seen_;
};

Result<void> Move(pid_t pid, const std::string& directory) {
  auto moved = WriteCgroupFile(directory + "/cgroup.procs", std::to_string(pid));
  // It has ended: CRIU, or a zombie.
  if (!moved.ok() && moved.error().sys_errno == ESRCH) return {};
  return moved;
}

// One at a time: the kernel takes all of a list or nothing.
Result<void> GiveControllers(const std::string& directory, const std::string& controllers) {
  std::istringstream list(controllers);
  for (std::string one; list >> one;) {
    TRY(WriteCgroupFile(directory + "/cgroup.subtree_control", "+" + one));
  }
  return {};
}

Result<void> GiveLimits(const CgroupPlace& place) {
  TRY(GiveControllers(place.directory, place.subtree_control));
  for (const NestedCgroup& nested : place.nested) {
    const std::string directory = place.directory + nested.path;
    TRY(WriteLimits(directory, nested.limits));
    TRY(GiveControllers(directory, nested.subtree_control));
  }
  return {};
}

Result<void> MoveAside(const CgroupPlace& place, const std::map<pid_t, pid_t>& pids,
                       const std::string& aside) {
  for (const pid_t pid : TRY(Processes(place.directory))) {
    const bool is_its = std::any_of(pids.begin(), pids.end(),
                                    [&](const auto& known) { return known.second == pid; });
    if (!is_its) TRY(Move(pid, aside));
  }
  return {};
}

bool IsWithin(const std::string& path, const std::string& above) {
  return path == above || path.starts_with(above + "/");
}

}  // namespace

Result<void> ReadNested(std::string_view id, CgroupPlace& place) { return Reader(id, place).Run(); }

std::vector<std::string> InnermostFirst(const std::string& directory) {
  std::vector<std::string> all = CgroupsWithin(directory);
  all.insert(all.begin(), directory);
  std::reverse(all.begin(), all.end());
  return all;
}

std::optional<Outsider> FindOutsider(const std::vector<CgroupPlace>& places,
                                     const std::vector<pid_t>& pids) {
  for (const pid_t pid : pids) {
    const auto text = ReadFile(fmt::format("/proc/{}/cgroup", pid));
    if (!text.ok()) continue;
    for (const CgroupPlace& its : ParseCgroups(*text, {})) {
      // Of who is about to end the kernel says so.
      if (its.path == "/") continue;
      for (const CgroupPlace& place : places) {
        if (place.own && place.controllers == its.controllers && !IsWithin(its.path, place.path)) {
          return Outsider{.pid = pid, .path = its.path};
        }
      }
    }
  }
  return std::nullopt;
}

Result<void> PlaceProcesses(const std::vector<CgroupPlace>& places,
                            const std::map<pid_t, pid_t>& pids, const std::string& aside) {
  for (const CgroupPlace& place : places) {
    if (!place.own || (place.nested.empty() && place.subtree_control.empty())) continue;
    for (const NestedCgroup& nested : place.nested) {
      for (const pid_t inner : nested.pids) {
        const auto found = pids.find(inner);
        if (found != pids.end()) TRY(Move(found->second, place.directory + nested.path));
      }
    }
    if (!place.v2()) continue;
    if (!place.subtree_control.empty()) TRY(MoveAside(place, pids, aside));
    TRY(GiveLimits(place));
  }
  return {};
}

}  // namespace crd::runtime
