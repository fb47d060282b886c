#include "daemon/runtime/cgroups.h"

#include <algorithm>
#include <cerrno>
#include <sstream>

#include <fcntl.h>
#include <sys/stat.h>
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

// 0: it shares crd's.
ino_t MountsOfItsOwn(pid_t init) {
  const ino_t mounts = MountNamespaceOf(init);
  return mounts == MountNamespaceOf(::getpid()) ? 0 : mounts;
}

bool HasStrangersItself(const std::string& directory, pid_t init, ino_t own_mounts) {
  const auto procs = ReadFile(directory + "/cgroup.procs");
  if (!procs.ok()) {
    // It has gone meanwhile; one of threads tells nothing of processes.
    const int why = procs.error().sys_errno;
    return why != ENOENT && why != ENODEV && why != EOPNOTSUPP;
  }
  std::istringstream pids(*procs);
  for (pid_t pid = 0; pids >> pid;) {
    if (pid == init || (own_mounts != 0 && MountNamespaceOf(pid) == own_mounts)) continue;
    if (!DescendsFrom(pid, init)) return true;
  }
  return false;
}

bool HasStrangers(const std::string& directory, pid_t init, ino_t own_mounts) {
  if (HasStrangersItself(directory, init, own_mounts)) return true;
  const std::vector<std::string> within = CgroupsWithin(directory);
  return std::any_of(within.begin(), within.end(), [&](const std::string& one) {
    return HasStrangersItself(one, init, own_mounts);
  });
}

// The longest beginning of the path that is the end of one of those, which may be seen through
// other mounts; the path itself if none is.
std::string WhereItWasMade(const std::string& path, const std::vector<std::string>& made) {
  for (std::string one = path; one.size() > 1; one.resize(one.rfind('/'))) {
    const bool is_made = std::any_of(made.begin(), made.end(),
                                     [&](const std::string& it) { return it.ends_with(one); });
    if (is_made) return one;
  }
  return path;
}

// A directory of cgroups counts those in it, and has no others.
bool HasAnyWithin(const std::string& directory) {
  struct stat status {};
  return ::stat(directory.c_str(), &status) == 0 && status.st_nlink > 2;
}

void AddWithin(const std::string& directory, std::vector<std::string>& found) {
  if (!HasAnyWithin(directory)) return;
  const auto opened = OpenDirectory(directory);
  if (!opened.ok()) return;
  const auto names = ListDirectory(opened->ref());
  if (!names.ok()) return;
  for (const std::string& name : *names) {
    struct stat status {};
    if (::fstatat(opened->get(), name.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0 ||
        !S_ISDIR(status.st_mode)) {
      continue;
    }
    const std::string inner = fmt::format("{}/{}", directory, name);
    found.push_back(inner);
    AddWithin(inner, found);
  }
}

}  // namespace

bool CgroupPlace::Has(std::string_view controller) const { return InList(controllers, controller); }

std::vector<CgroupPlace> ParseCgroups(std::string_view text, const std::vector<MountEntry>& mounts,
                                      const std::vector<std::string>& made) {
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
    place.path = WhereItWasMade(place.path, made);
    place.directory = DirectoryOf(place, mounts);
    place.own = place.path != "/" && !place.directory.empty();
    places.push_back(std::move(place));
  }
  return places;
}

std::vector<std::string> CgroupsWithin(const std::string& directory) {
  std::vector<std::string> found;
  AddWithin(directory, found);
  return found;
}

Result<std::vector<CgroupPlace>> CgroupsOf(pid_t init, const std::vector<std::string>& made) {
  const std::string text = TRY(ReadFile(fmt::format("/proc/{}/cgroup", init)));
  std::vector<CgroupPlace> places = ParseCgroups(text, TRY(ReadMountTable(0)), made);
  const ino_t own_mounts = MountsOfItsOwn(init);
  for (CgroupPlace& place : places) {
    if (place.own && HasStrangers(place.directory, init, own_mounts)) place.own = false;
  }
  return places;
}

Result<std::vector<CgroupPlace>> CgroupsAbove(pid_t init) {
  const std::string text = TRY(ReadFile(fmt::format("/proc/{}/cgroup", init)));
  const ino_t own_mounts = MountsOfItsOwn(init);
  std::vector<CgroupPlace> places;
  for (CgroupPlace& place : ParseCgroups(text, TRY(ReadMountTable(0)))) {
    while (place.own && !HasStrangers(place.directory, init, own_mounts)) {
      places.push_back(place);
      place.path.resize(place.path.rfind('/'));
      place.directory.resize(place.directory.rfind('/'));
      place.own = !place.path.empty();
    }
  }
  return places;
}

}  // namespace crd::runtime
