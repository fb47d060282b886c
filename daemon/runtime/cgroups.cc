#include "daemon/runtime/cgroups.h"

#include <sstream>

#include <unistd.h>

#include "daemon/base/files.h"
#include "daemon/base/proc.h"

namespace crd::runtime {
namespace {

bool InList(std::string_view list, std::string_view item) {
  while (!list.empty()) {
    const std::size_t comma = list.find(',');
    if (list.substr(0, comma) == item) return true;
    if (comma == std::string_view::npos) break;
    list.remove_prefix(comma + 1);
  }
  return false;
}

// The mount that shows this hierarchy's root, or the part of it that has `path`.
std::string DirectoryOf(const CgroupPlace& place, const std::vector<MountEntry>& mounts) {
  for (const MountEntry& mount : mounts) {
    if (mount.type != (place.v2() ? "cgroup2" : "cgroup")) continue;
    const std::string first = place.controllers.substr(0, place.controllers.find(','));
    if (!place.v2() && !InList(mount.super_options, first)) continue;
    if (mount.root == "/") return mount.mountpoint + (place.path == "/" ? "" : place.path);
    if (place.path.starts_with(mount.root + "/") || place.path == mount.root) {
      return mount.mountpoint + place.path.substr(mount.root.size());
    }
  }
  return "";
}

bool DescendsFrom(pid_t pid, pid_t ancestor) {
  while (pid > 1 && pid != ancestor) {
    const auto process = proc::ProcDir::Open(pid);
    const auto stat = process.ok() ? proc::ReadStat(*process) : Result<proc::Stat>(process.error());
    // It has just ended.
    if (!stat.ok()) return true;
    pid = stat->ppid;
  }
  return pid == ancestor;
}

ino_t MountNamespaceOf(pid_t pid) {
  const auto process = proc::ProcDir::Open(pid);
  const auto inode =
      process.ok() ? proc::ReadNamespace(*process, "mnt") : Result<ino_t>(process.error());
  return inode.ok() ? *inode : 0;
}

bool HasStrangers(const std::string& directory, pid_t init, ino_t own_mounts) {
  const auto procs = ReadFile(directory + "/cgroup.procs");
  if (!procs.ok()) return true;
  std::istringstream pids(*procs);
  for (pid_t pid = 0; pids >> pid;) {
    if (pid == init || (own_mounts != 0 && MountNamespaceOf(pid) == own_mounts)) continue;
    if (!DescendsFrom(pid, init)) return true;
  }
  return false;
}

}  // namespace

bool CgroupPlace::Has(std::string_view controller) const { return InList(controllers, controller); }

std::vector<CgroupPlace> ParseCgroups(std::string_view text,
                                      const std::vector<MountEntry>& mounts) {
  std::vector<CgroupPlace> places;
  std::istringstream lines{std::string(text)};
  for (std::string line; std::getline(lines, line);) {
    const std::size_t first = line.find(':');
    const std::size_t second = first == std::string::npos ? first : line.find(':', first + 1);
    if (second == std::string::npos) continue;
    CgroupPlace place{.controllers = line.substr(first + 1, second - first - 1),
                      .path = line.substr(second + 1)};
    // Out of reach of crd's own cgroup namespace.
    if (!place.path.starts_with('/') || place.path.starts_with("/..")) continue;
    place.directory = DirectoryOf(place, mounts);
    place.own = place.path != "/" && !place.directory.empty();
    places.push_back(std::move(place));
  }
  return places;
}

Result<std::vector<CgroupPlace>> CgroupsOf(pid_t init) {
  const std::string text = TRY(ReadFile(fmt::format("/proc/{}/cgroup", init)));
  std::vector<CgroupPlace> places = ParseCgroups(text, TRY(ReadMountTable(0)));
  ino_t own_mounts = MountNamespaceOf(init);
  if (own_mounts == MountNamespaceOf(::getpid())) own_mounts = 0;
  for (CgroupPlace& place : places) {
    if (place.own && HasStrangers(place.directory, init, own_mounts)) place.own = false;
  }
  return places;
}

}  // namespace crd::runtime
