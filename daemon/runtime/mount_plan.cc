#include "daemon/runtime/mount_plan.h"

#include <algorithm>
#include <array>
#include <filesystem>
#include <set>

#include "daemon/runtime/refusals.h"

namespace crd::runtime {
namespace {

// File systems that CRIU makes anew with what is in them (4.2, filesystems.c).
constexpr std::array<std::string_view, 5> kRemade = {"proc", "sysfs", "tmpfs", "devpts", "mqueue"};
// Of these another instance shows the same.
constexpr std::array<std::string_view, 3> kSameEverywhere = {"proc", "sysfs", "mqueue"};

template <typename List>
bool Contains(const List& list, std::string_view item) {
  return std::find(list.begin(), list.end(), item) != list.end();
}

std::string Normal(const std::string& path) {
  std::string normal = std::filesystem::path("/" + path).lexically_normal().string();
  while (normal.size() > 1 && normal.back() == '/') normal.pop_back();
  return normal;
}

const Bundle::Mount* FindBind(const Bundle& bundle, const std::string& mountpoint) {
  const Bundle::Mount* found = nullptr;
  for (const Bundle::Mount& mount : bundle.mounts) {
    if (mount.bind && Normal(mount.destination) == mountpoint) found = &mount;
  }
  return found;
}

// Where the host shows what is mounted there; the mount that shows the least more is the best.
std::string OnHost(const MountEntry& mount, const std::vector<MountEntry>& host) {
  const MountEntry* best = nullptr;
  for (const MountEntry& entry : host) {
    const bool shows =
        entry.root == "/" || mount.root == entry.root || mount.root.starts_with(entry.root + "/");
    if (entry.device != mount.device || !shows) continue;
    if (best == nullptr || entry.root.size() > best->root.size()) best = &entry;
  }
  if (best == nullptr) return "";
  const std::string rest = best->root == "/" ? mount.root : mount.root.substr(best->root.size());
  return Normal(best->mountpoint + "/" + rest);
}

bool IsOfHost(const MountEntry& mount, const std::vector<MountEntry>& host) {
  return std::any_of(host.begin(), host.end(),
                     [&](const MountEntry& entry) { return entry.device == mount.device; });
}

bool HasOwn(const Bundle& bundle, std::string_view type) {
  const Bundle::Namespace* made = bundle.FindNamespace(type);
  return made != nullptr && made->path.empty();
}

bool IsExternal(const Bundle& bundle, const MountEntry& mount,
                const std::vector<MountEntry>& host) {
  if (FindBind(bundle, mount.mountpoint) != nullptr) return true;
  // What is mounted in a cgroup namespace shows its roots, and root in a user namespace may mount
  // none of another's.
  if (mount.type == "cgroup") return !HasOwn(bundle, "cgroup");
  if (mount.type == "cgroup2") return !HasOwn(bundle, "cgroup") && !bundle.users.empty();
  if (!Contains(kRemade, mount.type)) return true;
  // A tmpfs or devpts of the host's, bound into the container.
  return !Contains(kSameEverywhere, mount.type) && IsOfHost(mount, host);
}

}  // namespace

Result<std::vector<SavedMount>> PlanMounts(Kind runtime, const Bundle& bundle,
                                           const std::vector<MountEntry>& container,
                                           const std::vector<MountEntry>& host,
                                           const IsDirectory& is_directory) {
  std::vector<SavedMount> plan;
  std::set<int> roots;
  for (const MountEntry& mount : container) {
    SavedMount saved{.mountpoint = mount.mountpoint,
                     .on_root = roots.count(mount.parent) > 0,
                     .directory = is_directory(mount.mountpoint),
                     .read_only = mount.read_only,
                     .nosuid = mount.nosuid,
                     .nodev = mount.nodev,
                     .noexec = mount.noexec};
    if (mount.mountpoint == "/") {
      roots.insert(mount.id);
    } else if (!saved.directory && Contains(bundle.masked_paths, mount.mountpoint)) {
      saved.source = "/dev/null";
      saved.key = runtime == Kind::kRunc ? saved.source : mount.mountpoint;
    } else if (IsExternal(bundle, mount, host)) {
      saved.key = mount.mountpoint;
      const Bundle::Mount* bind = FindBind(bundle, mount.mountpoint);
      if (bind != nullptr) {
        saved.source =
            bind->source.starts_with('/') ? bind->source : bundle.path + "/" + bind->source;
      } else {
        saved.source = OnHost(mount, host);
      }
      if (saved.source.empty()) return refusal::MountUnsupported(mount.mountpoint, mount.type);
    }
    plan.push_back(std::move(saved));
  }
  return plan;
}

}  // namespace crd::runtime
