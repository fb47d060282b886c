#include "daemon/core/inspect_files.h"

#include <charconv>

#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "daemon/base/files.h"
#include "daemon/core/anonymous_objects.h"
#include "daemon/core/terminals.h"

namespace crd {
namespace {

constexpr std::uint64_t kDefaultGhostLimit = 1U << 20U;  // criu 4.2: DEFAULT_GHOST_LIMIT

// Majors and minors of <linux/major.h> and <linux/miscdevice.h> that CRIU dumps by their path.
constexpr unsigned kMemoryMajor = 1;  // null, zero, full, random, kmsg …
constexpr unsigned kMiscMajor = 10;
constexpr unsigned kTunMinor = 200;
constexpr unsigned kAutofsMinor = 235;
constexpr unsigned kZeroMinor = 5;

bool StartsWith(std::string_view text, std::string_view prefix) {
  return text.substr(0, prefix.size()) == prefix;
}

bool IsDeleted(std::string_view path) {
  constexpr std::string_view kDeleted = " (deleted)";
  return path.size() > kDeleted.size() && path.substr(path.size() - kDeleted.size()) == kDeleted;
}

// Memory that the kernel gives the name of a deleted file: CRIU takes it along as memory.
bool IsMemory(std::string_view path) {
  for (const char* name : {"/memfd:", "/dev/zero (deleted)", "/SYSV", "/[aio]", "/anon_hugepage"}) {
    if (StartsWith(path, name)) return true;
  }
  return false;
}

// The number before the first blank (mountinfo) or of the inode of a /proc/locks line.
template <typename T>
T Number(std::string_view text) {
  T value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

std::set<std::uint64_t> ReadMountIds() {
  std::set<std::uint64_t> mounts;
  const Result<std::string> text = ReadFile("/proc/self/mountinfo");
  if (!text.ok()) return mounts;
  std::string_view rest = text.value();
  while (!rest.empty()) {
    mounts.insert(Number<std::uint64_t>(rest));
    rest.remove_prefix(std::min(rest.find('\n'), rest.size() - 1) + 1);
  }
  return mounts;
}

// Inodes of "1: FLOCK  ADVISORY  WRITE 12 fe:00:33 0 EOF"; devices differ from stat's on btrfs.
std::set<ino_t> ReadLockedInodes() {
  std::set<ino_t> inodes;
  const Result<std::string> text = ReadFile("/proc/locks");
  if (!text.ok()) return inodes;
  const std::string& locks = text.value();
  for (std::size_t at = locks.find(':'); at != std::string::npos; at = locks.find(':', at + 1)) {
    // Only the last of the line's three colons has the inode and a blank after it.
    const std::size_t end = locks.find_first_of(": \n", at + 1);
    if (end == std::string::npos || end == at + 1 || locks[end] != ' ') continue;
    inodes.insert(Number<ino_t>(std::string_view(locks).substr(at + 1)));
  }
  return inodes;
}

}  // namespace

std::vector<Obstacle> FileInspector::Inspect(const TreeProcess& process,
                                             const proc::ProcDir& directory,
                                             const std::vector<Descriptor>& descriptors) {
  std::vector<Obstacle> obstacles;
  std::set<std::string> said;  // one object may have a descriptor and several mappings
  const auto add = [&](std::optional<Error> error) {
    if (!error.has_value() || !said.insert(error->message).second) return;
    obstacles.push_back({process.pid, std::move(*error)});
  };
  for (const Descriptor& descriptor : descriptors) {
    add(CheckDescriptor(process, directory, descriptors, descriptor));
  }
  for (const char* name : {"cwd", "root"}) {
    const Result<std::string> path = directory.ReadLink(name);
    if (!path.ok() || path.value() == "/") continue;
    const Result<FileStatus> status = ReadFileStatus(directory, name);
    if (status.ok()) add(CheckPath(process, name, path.value(), status.value()));
  }
  const Result<std::vector<proc::Mapping>> mappings = proc::ReadNamedMappings(directory);
  if (!mappings.ok()) return obstacles;
  for (const proc::Mapping& mapping : mappings.value()) {
    add(CheckMapping(process, directory, mapping));
  }
  return obstacles;
}

std::optional<Error> FileInspector::CheckDescriptor(const TreeProcess& process,
                                                    const proc::ProcDir& directory,
                                                    const std::vector<Descriptor>& all,
                                                    const Descriptor& descriptor) {
  const std::string where = fmt::format("descriptor {}", descriptor.fd);
  switch (descriptor.kind) {
    case Descriptor::Kind::kAnonymous:
      return CheckAnonymousObject(tree_, process, directory, all, descriptor);
    case Descriptor::Kind::kNamespace:
      if (NamespaceIsKnown(descriptor.inode)) return std::nullopt;
      return refusal::NamespaceOutside(process, descriptor.fd, descriptor.link);
    case Descriptor::Kind::kOther:
      return refusal::UnsupportedObject(process, where, descriptor.link);
    case Descriptor::Kind::kPipe:
    case Descriptor::Kind::kSocket:
      return std::nullopt;
    case Descriptor::Kind::kPath:
      break;
  }
  if (IsMemory(descriptor.link) || StartsWith(descriptor.link, "/proc/")) return std::nullopt;
  const Result<FileStatus> found = ReadFileStatus(directory, fmt::format("fd/{}", descriptor.fd));
  if (!found.ok()) return std::nullopt;
  const FileStatus& status = found.value();
  if (S_ISCHR(status.mode) && IsTerminal(status.rdev)) return std::nullopt;
  if (auto error = CheckDevice(process, where, descriptor.link, status)) return error;
  if (auto error = CheckPath(process, where, descriptor.link, status)) return error;
  return CheckLock(process, directory, descriptor, status);
}

std::optional<Error> FileInspector::CheckDevice(const TreeProcess& process,
                                                const std::string& where, const std::string& path,
                                                const FileStatus& status) const {
  if (S_ISBLK(status.mode)) return refusal::Device(process, where, path, status.rdev);
  if (!S_ISCHR(status.mode) || major(status.rdev) == kMemoryMajor) return std::nullopt;
  if (major(status.rdev) == kMiscMajor && minor(status.rdev) == kAutofsMinor) return std::nullopt;
  if (major(status.rdev) == kMiscMajor && minor(status.rdev) == kTunMinor) {
    if (of_root_.at("net") != own_.at("net")) return std::nullopt;
    return refusal::TunDevice(process, where);
  }
  return refusal::Device(process, where, path, status.rdev);
}

std::optional<Error> FileInspector::CheckPath(const TreeProcess& process, const std::string& where,
                                              const std::string& path, const FileStatus& status) {
  const std::pair<dev_t, ino_t> file(status.device, status.inode);
  if (reported_files_.count(file) > 0) return std::nullopt;
  std::optional<Error> error;
  if (status.links == 0) {
    const std::uint64_t limit =
        options_.ghost_limit == 0 ? kDefaultGhostLimit : options_.ghost_limit;
    if (!MountIsVisible(status.mount)) {
      error = refusal::ForeignMount(process, where, path);
    } else if (status.size_on_disk > limit) {
      error = refusal::GhostTooLarge(process, where, path, status.size_on_disk, limit);
    }
  } else {
    const Result<FileStatus>& named = CachedLookUp(path, S_ISLNK(status.mode));
    const bool same = named.ok() && named.value().SameFile(status);
    if (same && named.value().mount == status.mount) return std::nullopt;
    if (!MountIsVisible(status.mount)) {
      error = refusal::ForeignMount(process, where, path);
    } else if (!named.ok() && named.error().sys_errno == ENOENT) {
      if (!options_.link_remap) error = refusal::NeedsLinkRemap(process, where, path);
      if (options_.link_remap && path.starts_with('/'))
        remapped_.push_back({.directory = path.substr(0, std::max<std::size_t>(path.rfind('/'), 1)),
                             .name = "",
                             .inode = status.inode});
    } else if (!same) {
      error = refusal::PathReused(process, where, path);
    }
  }
  if (error.has_value()) reported_files_.insert(file);
  return error;
}

std::optional<Error> FileInspector::CheckLock(const TreeProcess& process,
                                              const proc::ProcDir& directory,
                                              const Descriptor& descriptor,
                                              const FileStatus& status) {
  if (options_.file_locks || !S_ISREG(status.mode)) return std::nullopt;
  // Whose lock it is only fdinfo tells; asking it is dear, and most files are locked by nobody.
  if (!locked_.has_value()) locked_ = ReadLockedInodes();
  if (locked_->count(status.inode) == 0) return std::nullopt;
  const Result<proc::FdInfo> info = proc::ReadFdInfo(directory, descriptor.fd);
  if (!info.ok() || info.value().locks.empty()) return std::nullopt;
  if (!reported_files_.emplace(status.device, status.inode).second) return std::nullopt;
  return refusal::FileLock(process, fmt::format("descriptor {}", descriptor.fd), descriptor.link);
}

std::optional<Error> FileInspector::CheckMapping(const TreeProcess& process,
                                                 const proc::ProcDir& directory,
                                                 const proc::Mapping& mapping) {
  const std::string& path = mapping.path;
  if (path == "anon_inode:[io_uring]") return refusal::IoUring(process);
  if (StartsWith(path, "anon_inode:")) return refusal::DeviceMapping(process, path);
  if (path == "[uprobes]") return refusal::Uprobes(process);
  if (StartsWith(path, "/SYSV") && of_root_.at("ipc") == own_.at("ipc"))
    return refusal::SharedSysvMemory(process);
  const bool device = StartsWith(path, "/dev/") && !StartsWith(path, "/dev/shm/");
  if (IsMemory(path) || (!device && !IsDeleted(path))) return std::nullopt;
  const Result<FileStatus> status =
      ReadFileStatus(directory, fmt::format("map_files/{:x}-{:x}", mapping.begin, mapping.end));
  if (!status.ok()) return std::nullopt;
  if (S_ISCHR(status.value().mode)) {
    if (status.value().rdev == makedev(kMemoryMajor, kZeroMinor)) return std::nullopt;
    return refusal::DeviceMapping(process, path);
  }
  return CheckPath(process, fmt::format("the mapping at {:x}", mapping.begin), path,
                   status.value());
}

const Result<FileStatus>& FileInspector::CachedLookUp(const std::string& path, bool is_link) {
  const auto key = std::make_pair(path, is_link);
  const auto known = looked_up_.find(key);
  if (known != looked_up_.end()) return known->second;
  return looked_up_.emplace(key, LookUp(path, is_link)).first->second;
}

bool FileInspector::NamespaceIsKnown(ino_t inode) {
  if (!namespaces_.has_value()) {
    namespaces_.emplace();
    for (const auto& [kind, own] : own_) namespaces_->insert(own);
    for (const TreeProcess& process : tree_.processes()) {
      const Result<proc::ProcDir> directory = proc::ProcDir::Open(process.pid);
      if (!directory.ok()) continue;
      const Result<Namespaces> all = ReadNamespaces(directory.value());
      if (!all.ok()) continue;
      for (const auto& [kind, of_process] : all.value()) namespaces_->insert(of_process);
    }
  }
  return namespaces_->count(inode) > 0;
}

bool FileInspector::MountIsVisible(std::uint64_t mount) {
  if (!mounts_.has_value()) mounts_ = ReadMountIds();
  return mount == 0 || mounts_->count(mount) > 0;
}

}  // namespace crd
