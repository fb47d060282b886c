#include "daemon/runtime/describe.h"

#include <algorithm>
#include <set>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/base/files.h"
#include "daemon/base/proc.h"
#include "daemon/runtime/bundle.h"
#include "daemon/runtime/cgroup_limits.h"
#include "daemon/runtime/device_filter.h"
#include "daemon/runtime/engine.h"
#include "daemon/runtime/mount_plan.h"
#include "daemon/runtime/nested_cgroups.h"
#include "daemon/runtime/network.h"
#include "daemon/runtime/refusals.h"
#include "daemon/runtime/tmpfs.h"

namespace crd::runtime {
namespace {

// Names in config.json and in /proc.
struct NamespaceName {
  const char* oci;
  const char* proc;
};
constexpr NamespaceName kNamespaces[] = {{"pid", "pid"},       {"network", "net"}, {"ipc", "ipc"},
                                         {"uts", "uts"},       {"mount", "mnt"},   {"user", "user"},
                                         {"cgroup", "cgroup"}, {"time", "time"}};

// CRIU 4.2 joins these again (and refuses `mnt`, which crd does not ask for).
bool CanBeJoined(std::string_view type) {
  return type == "network" || type == "pid" || type == "ipc" || type == "uts" || type == "time" ||
         type == "cgroup";
}

// One look at one container.
class Describer {
 public:
  Describer(const Container& container, const std::vector<pid_t>& tree)
      : state_(container.state), tree_(tree) {}

  Result<Description> Run() {
    if (state_.pid == 0) return refusal::NotRunning(state_, Status::kStopped);
    const Bundle bundle = TRY(ReadBundle(state_.id, state_.bundle));
    SavedContainer& saved = description_.saved;
    saved.kind = state_.kind;
    saved.state_path = state_.path;
    saved.id = state_.id;
    saved.bundle = state_.bundle;
    saved.rootfs = state_.rootfs.empty() ? bundle.rootfs : state_.rootfs;
    const std::vector<MountEntry> mounts = TRY(ReadMountTable(state_.pid));
    saved.mounts = TRY(PlanMounts(state_.kind, bundle, mounts, TRY(ReadMountTable(0)),
                                  [this](const auto& path) { return IsDirectoryInside(path); }));
    TRY(LookAtNamespaces(bundle));
    // One of a user namespace's belongs to that; crd could only make one of the host's.
    if (saved.users.empty()) ChooseTmpfs(mounts, saved.mounts);
    TRY(LookAtCgroups());
    LookForStrangers();
    ReadStateFiles();
    description_.engine = FindEngine(state_, bundle).engine;
    description_.files = FindOutsideFiles(tree_, mounts);
    return std::move(description_);
  }

 private:
  void Add(pid_t pid, Error error) { description_.obstacles.push_back({pid, std::move(error)}); }

  // Links are not followed: a mountpoint is never one, but what was mounted over may have been
  // exchanged for one.
  [[nodiscard]] bool IsDirectoryInside(const std::string& path) const {
    struct stat status {};
    const std::string inside = fmt::format("/proc/{}/root{}", state_.pid, path);
    return ::lstat(inside.c_str(), &status) == 0 && S_ISDIR(status.st_mode);
  }

  Result<void> LookAtNamespaces(const Bundle& bundle) {
    SavedContainer& saved = description_.saved;
    const proc::ProcDir self = TRY(proc::ProcDir::Open(::getpid()));
    const proc::ProcDir init = TRY(proc::ProcDir::Open(state_.pid));
    bool own_users = false;
    for (const NamespaceName& name : kNamespaces) {
      const bool own =
          TRY(proc::ReadNamespace(init, name.proc)) != TRY(proc::ReadNamespace(self, name.proc));
      const Bundle::Namespace* wanted = bundle.FindNamespace(name.oci);
      const bool joined = wanted != nullptr && !wanted->path.empty();
      const std::string_view type = name.oci;
      if (type == "network") {
        TRY(LookAtNetwork(own, joined ? wanted->path : ""));
      } else if (own && joined) {
        saved.joined.push_back({.type = std::string(type), .path = wanted->path});
      }
      if (type == "pid") saved.own_pids = own;
      if (type == "cgroup") saved.own_cgroups = own;
      const bool possible = !(own && joined) || CanBeJoined(type);
      if (type == "user") own_users = own;
      if (!possible || (!own && type == "mount")) {
        Add(0, refusal::NamespaceUnsupported(state_, type, joined));
      }
    }
    if (own_users) TRY(LookAtUserNamespace());
    return {};
  }

  Result<void> LookAtNetwork(bool own, const std::string& path) {
    if (!own) return {};
    if (!path.empty() || !TRY(OwnInterfaces(state_.pid)).empty()) {
      description_.network_path = path;
      return {};
    }
    description_.saved.own_network = true;
    description_.saved.loopback_up = TRY(LoopbackIsUp(state_.pid));
    return {};
  }

  // CRIU makes it anew, and what belongs to it. What crd makes would be the host's.
  Result<void> LookAtUserNamespace() {
    const SavedContainer& saved = description_.saved;
    description_.saved.users = TRY(ReadIdMaps(state_.pid));
    for (const JoinedNamespace& joined : saved.joined) {
      if (joined.type != "user" && !CriuRestoresIn(saved, joined)) {
        Add(0, refusal::BesideUserNamespace(state_, joined.type));
      }
    }
    if (CriuMakesCgroupNamespace() && !saved.users.HasNobody()) {
      Add(0, refusal::CgroupNamespaceWithoutNobody(state_));
    }
    return {};
  }

  // In the user namespace, which it belongs to; all others are crd's to make.
  [[nodiscard]] bool CriuMakesCgroupNamespace() const {
    const SavedContainer& saved = description_.saved;
    return saved.own_cgroups && !Joins(saved, "cgroup") && !saved.users.empty();
  }

  Result<void> LookAtCgroups() {
    std::vector<CgroupPlace>& places = description_.saved.cgroups;
    places = TRY(CgroupsOf(state_.pid, state_.cgroups));
    bool has_own = false;
    for (CgroupPlace& place : places) {
      if (!place.own) continue;
      has_own = true;
      place.limits = ReadLimits(place.directory);
      if (place.v2()) place.device_filters = ReadDeviceFilters(place.directory);
      if (auto read = ReadNested(state_.id, place); !read.ok()) {
        // What has been removed meanwhile is read again when all stands still.
        if (read.error().reason.empty()) continue;
        Add(0, std::move(read).error());
        return {};
      }
    }
    if (const auto outsider = FindOutsider(places, tree_)) {
      Add(outsider->pid, refusal::CgroupElsewhere(state_.id, outsider->pid, outsider->path));
    }
    if (!has_own) Add(0, refusal::NoCgroup(state_));
    const bool own_v2 = std::any_of(places.begin(), places.end(), [](const CgroupPlace& place) {
      return place.v2() && place.own;
    });
    const bool pids_end_with_init =
        description_.saved.own_pids && !Joins(description_.saved, "pid");
    if (CriuMakesCgroupNamespace() && !pids_end_with_init && !own_v2) {
      Add(0, refusal::CgroupNamespaceWithoutPids(state_));
    }
    return {};
  }

  // So that the container can be restored when its runtime has forgotten it, or under another name.
  void ReadStateFiles() {
    const std::size_t slash = state_.path.rfind('/');
    if (slash == std::string::npos) return;
    const std::string directory = state_.path.substr(0, slash + 1);
    for (const std::string& name : {state_.path.substr(slash + 1), std::string("config.json")}) {
      // Only crun has the second one.
      auto text = ReadFile(directory + name);
      if (text.ok()) description_.saved.state_files[name] = *std::move(text);
    }
  }

  // By their mount namespace: the only one that no container shares.
  void LookForStrangers() {
    const auto init = proc::ProcDir::Open(state_.pid);
    const auto all = proc::ListProcesses();
    if (!init.ok() || !all.ok()) return;
    const auto inside = proc::ReadNamespace(*init, "mnt");
    const std::set<pid_t> tree(tree_.begin(), tree_.end());
    for (const pid_t pid : *all) {
      if (tree.count(pid) > 0) continue;
      const auto process = proc::ProcDir::Open(pid);
      if (!process.ok()) continue;
      const auto its = proc::ReadNamespace(*process, "mnt");
      if (!its.ok() || !inside.ok() || *its != *inside) continue;
      // A child that was born since the tree was read is none.
      if (IsDescendant(pid)) continue;
      const auto command = proc::ReadCommandLine(*process);
      description_.execed.push_back(
          {pid, refusal::ExecedProcess(state_, pid, command.ok() ? *command : "?")});
    }
  }

  [[nodiscard]] bool IsDescendant(pid_t pid) const {
    while (pid > 1 && pid != state_.pid) {
      const auto process = proc::ProcDir::Open(pid);
      if (!process.ok()) return true;
      const auto stat = proc::ReadStat(*process);
      if (!stat.ok()) return true;
      pid = stat->ppid;
    }
    return pid == state_.pid;
  }

  const RuntimeState& state_;
  const std::vector<pid_t>& tree_;
  Description description_;
};

}  // namespace

Result<Description> Describe(const Container& container, const std::vector<pid_t>& tree) {
  if (container.status != Status::kRunning) {
    return refusal::NotRunning(container.state, container.status);
  }
  return Describer(container, tree).Run();
}

}  // namespace crd::runtime
