#include "daemon/runtime/container_files.h"

#include <algorithm>
#include <set>

#include <fcntl.h>
#include <sys/stat.h>

#include "daemon/base/proc.h"

namespace crd::runtime {
namespace {

// Pipes, sockets and the like are on mounts of the kernel's own, which nobody has mounted.
bool HasPath(const std::string& link) { return link.starts_with('/'); }

}  // namespace

std::vector<OutsideFile> FindOutsideFiles(const std::vector<pid_t>& pids,
                                          const std::vector<MountEntry>& container) {
  std::set<int> inside;
  for (const MountEntry& mount : container) inside.insert(mount.id);
  std::vector<OutsideFile> files;
  std::set<std::string> seen;
  for (const pid_t pid : pids) {
    const auto process = proc::ProcDir::Open(pid);
    if (!process.ok()) continue;
    const auto descriptors = process->ListNumbers("fd");
    if (!descriptors.ok()) continue;
    for (const int fd : *descriptors) {
      const auto info = proc::ReadFdInfo(*process, fd);
      const auto link = process->ReadLink(fmt::format("fd/{}", fd));
      if (!info.ok() || !link.ok() || inside.count(info->mount) > 0 || !HasPath(*link)) continue;
      struct stat status {};
      const std::string name = fmt::format("fd/{}", fd);
      if (::fstatat(process->fd().get(), name.c_str(), &status, 0) != 0) continue;
      std::string key = fmt::format("file[{:x}:{:x}]", info->mount, status.st_ino);
      if (!seen.insert(key).second) continue;
      const int access = info->flags & O_ACCMODE;
      files.push_back({.pid = pid,
                       .fd = fd,
                       .key = std::move(key),
                       .path = *link,
                       .readable = access != O_WRONLY,
                       .writable = access != O_RDONLY});
    }
  }
  return files;
}

}  // namespace crd::runtime
