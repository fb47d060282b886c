#include "daemon/runtime/retarget.h"

#include <algorithm>
#include <filesystem>

#include "daemon/base/files.h"
#include "daemon/runtime/bundle.h"
#include "daemon/runtime/refusals.h"
#include "daemon/runtime/runtime_state.h"
#include "daemon/runtime/scope_path.h"

namespace crd::runtime {
namespace {

std::string ParentOf(const std::string& path) { return path.substr(0, path.rfind('/')); }

std::string Normal(const std::string& path) {
  std::string normal = std::filesystem::path("/" + path).lexically_normal().string();
  while (normal.size() > 1 && normal.back() == '/') normal.pop_back();
  return normal;
}

bool IsBeneath(const std::string& path, const std::string& directory) {
  return path.starts_with(directory + "/");
}

void MoveMount(SavedMount& mount, const std::string& old_bundle, const Bundle& bundle) {
  for (const Bundle::Mount& configured : bundle.mounts) {
    if (!configured.bind || Normal(configured.destination) != mount.mountpoint) continue;
    mount.source = configured.source.starts_with('/') ? configured.source
                                                      : bundle.path + "/" + configured.source;
    return;
  }
  if (IsBeneath(mount.source, old_bundle)) {
    mount.source = bundle.path + mount.source.substr(old_bundle.size());
  }
}

Result<void> MoveToBundle(SavedContainer& container, const std::string& directory) {
  const Bundle bundle = TRY(ReadBundle(container.id, directory));
  if (bundle.users != container.users) return refusal::IdMapsDiffer(container.id, directory);
  for (SavedMount& mount : container.mounts) {
    // What runc masks a file with is the host's /dev/null in any bundle.
    if (!mount.key.empty() && mount.key == mount.mountpoint) {
      MoveMount(mount, container.bundle, bundle);
    }
  }
  container.bundle = directory;
  container.rootfs = bundle.rootfs;
  // crun's own copy, which its `exec` reads.
  if (const auto copy = container.state_files.find("config.json");
      copy != container.state_files.end()) {
    copy->second = TRY(ReadFile(directory + "/config.json"));
  }
  return {};
}

Result<void> MapMount(SavedContainer& container, const std::string& destination,
                      const std::string& source) {
  const std::string mountpoint = Normal(destination);
  // The last one there is the one that shows.
  const auto found = std::find_if(
      container.mounts.rbegin(), container.mounts.rend(), [&](const SavedMount& mount) {
        return mount.mountpoint == mountpoint && mount.key == mount.mountpoint;
      });
  if (found == container.mounts.rend()) {
    std::vector<std::string> possible;
    for (const SavedMount& mount : container.mounts) {
      if (!mount.key.empty() && mount.key == mount.mountpoint) possible.push_back(mount.mountpoint);
    }
    return refusal::MountUnknown(container.id, destination, possible);
  }
  found->source = source;
  return {};
}

// A runtime shows a container without a cgroup namespace its own cgroups of v1, each by a bind.
void MoveSources(std::vector<SavedMount>& mounts, const std::string& from, const std::string& to) {
  for (SavedMount& mount : mounts) {
    if (!mount.key.empty() && (mount.source == from || IsBeneath(mount.source, from))) {
      mount.source = to + mount.source.substr(from.size());
    }
  }
}

// Where one of systemd's is to be, which must be a scope in a slice.
Result<std::string> PathOfScope(const SavedContainer& container, const std::string& old_id,
                                const std::string& parent, const std::string& path) {
  auto scope = ParseScopePath(path);
  if (scope) scope = scope->Renamed(old_id, container.id);
  if (scope && !parent.empty()) scope->slice = ParseSlice(parent).value_or("");
  // runc has a dash in the name of each.
  const bool nameable =
      scope && (container.kind != Kind::kRunc || scope->scope.find('-') != std::string::npos);
  if (!nameable || scope->slice.empty()) return refusal::CgroupManaged(container.id);
  return scope->ToString();
}

// `container` has its new id already.
Result<void> MoveCgroups(SavedContainer& container, const std::string& old_id,
                         const Retargeting& wanted) {
  const std::string parent = wanted.cgroup_parent.empty() ? "" : Normal(wanted.cgroup_parent);
  const bool managed = CgroupsAreManaged(container);
  for (CgroupPlace& place : container.cgroups) {
    if (!place.own) continue;
    const std::string before = place.directory;
    const std::string root = before.substr(0, before.size() - place.path.size());
    if (managed) {
      place.path = TRY(PathOfScope(container, old_id, parent, place.path));
    } else {
      const std::string above = parent.empty() ? ParentOf(place.path) : parent;
      place.path = (above == "/" ? "" : above) + "/" + container.id;
    }
    place.directory = root + place.path;
    MoveSources(container.mounts, before, place.directory);
  }
  return {};
}

}  // namespace

Result<SavedContainer> Retarget(SavedContainer container, const Retargeting& wanted) {
  const std::vector<CgroupPlace> old_places = container.cgroups;
  const std::string old_id = container.id;
  const bool renamed = !wanted.id.empty() && wanted.id != container.id;
  if (renamed) {
    if (!container.state_path.empty()) {
      const std::string directory = ParentOf(container.state_path);
      container.state_path =
          ParentOf(directory) + "/" + wanted.id + container.state_path.substr(directory.size());
    }
    container.id = wanted.id;
  }
  if (!wanted.bundle.empty() && Normal(wanted.bundle) != Normal(container.bundle)) {
    TRY(MoveToBundle(container, Normal(wanted.bundle)));
  }
  for (const auto& [destination, source] : wanted.mounts) {
    TRY(MapMount(container, destination, source));
  }
  if (renamed || !wanted.cgroup_parent.empty()) TRY(MoveCgroups(container, old_id, wanted));
  for (auto& [name, text] : container.state_files) {
    if (name == "config.json") continue;
    text = TRY(WithPlace(container.kind, text,
                         {.id = container.id,
                          .bundle = container.bundle,
                          .rootfs = container.rootfs,
                          .old_cgroups = old_places,
                          .cgroups = container.cgroups}));
  }
  return container;
}

}  // namespace crd::runtime
