#include "daemon/core/descriptors.h"

#include <charconv>

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

namespace crd {
namespace {

// The INODE of "word:[INODE]"; 0 if the text is no such thing.
ino_t BracketedInode(std::string_view text) {
  const std::size_t open = text.find(":[");
  if (open == std::string_view::npos || text.back() != ']') return 0;
  text = text.substr(open + 2);
  ino_t inode = 0;
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), inode);
  return *parsed.ptr == ']' ? inode : 0;
}

Result<FileStatus> Stat(FdRef directory, const char* path, int flags, std::string_view what) {
  struct statx status {};
  const unsigned fields = STATX_BASIC_STATS | STATX_MNT_ID;
  if (::statx(directory.get(), path, flags, fields, &status) != 0) {
    return Error::Errno("stat {}", what);
  }
  return FileStatus{.mode = status.stx_mode,
                    .device = makedev(status.stx_dev_major, status.stx_dev_minor),
                    .inode = status.stx_ino,
                    .rdev = makedev(status.stx_rdev_major, status.stx_rdev_minor),
                    .links = status.stx_nlink,
                    .size_on_disk = status.stx_blocks * 512,
                    .mount = status.stx_mnt_id};
}

// Links of pipes and sockets are short: "socket:[4294967295]".
constexpr std::size_t kLongestInodeLink = 40;

// A link of "pipe:[…]" or "socket:[…]" that is looked for, or 0.
ino_t Match(std::string_view link, const std::set<ino_t>& pipes, const std::set<ino_t>& sockets) {
  const bool pipe = link.substr(0, 6) == "pipe:[";
  if (!pipe && link.substr(0, 8) != "socket:[") return 0;
  const std::set<ino_t>& wanted = pipe ? pipes : sockets;
  const ino_t inode = BracketedInode(link);
  return wanted.count(inode) > 0 ? inode : 0;
}

std::vector<OutsideHolder> HeldBy(const proc::ProcDir& process, const std::set<ino_t>& pipes,
                                  const std::set<ino_t>& sockets) {
  std::vector<OutsideHolder> held;
  const Result<std::vector<int>> fds = process.ListNumbers("fd");
  if (!fds.ok()) return held;
  for (const int fd : fds.value()) {
    const std::string name = fmt::format("fd/{}", fd);
    char link[kLongestInodeLink];
    const ssize_t size = ::readlinkat(process.fd().get(), name.c_str(), link, sizeof link);
    if (size <= 0 || static_cast<std::size_t>(size) == sizeof link) continue;
    const ino_t inode = Match({link, static_cast<std::size_t>(size)}, pipes, sockets);
    struct stat status {};
    if (inode == 0 ||
        ::fstatat(process.fd().get(), name.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0) {
      continue;
    }
    const Result<proc::Stat> stat = proc::ReadStat(process);
    held.push_back({.pid = process.pid(),
                    .comm = stat.ok() ? stat.value().comm : "?",
                    .inode = inode,
                    .readable = (status.st_mode & S_IRUSR) != 0,
                    .writable = (status.st_mode & S_IWUSR) != 0});
  }
  return held;
}

}  // namespace

Descriptor ParseDescriptorLink(std::string link) {
  using Kind = Descriptor::Kind;
  Descriptor descriptor;
  const auto starts = [&](std::string_view prefix) { return link.rfind(prefix, 0) == 0; };
  if (starts("/")) {
    descriptor.kind = Kind::kPath;
  } else if (starts("anon_inode:")) {
    descriptor.kind = Kind::kAnonymous;
  } else if (const ino_t inode = BracketedInode(link); inode != 0) {
    descriptor.kind = starts("pipe:")     ? Kind::kPipe
                      : starts("socket:") ? Kind::kSocket
                                          : Kind::kNamespace;
    descriptor.inode = inode;
  }
  descriptor.link = std::move(link);
  return descriptor;
}

Result<std::vector<Descriptor>> ReadDescriptors(const proc::ProcDir& process) {
  std::vector<Descriptor> descriptors;
  for (const int fd : TRY(process.ListNumbers("fd"))) {
    const std::string name = fmt::format("fd/{}", fd);
    Result<std::string> link = process.ReadLink(name);
    struct stat status {};
    // The link's own mode says how it was opened: r for reading, w for writing.
    if (!link.ok() ||
        ::fstatat(process.fd().get(), name.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0) {
      continue;
    }
    Descriptor descriptor = ParseDescriptorLink(std::move(link).value());
    descriptor.pid = process.pid();
    descriptor.fd = fd;
    descriptor.readable = (status.st_mode & S_IRUSR) != 0;
    descriptor.writable = (status.st_mode & S_IWUSR) != 0;
    descriptors.push_back(std::move(descriptor));
  }
  return descriptors;
}

Result<FileStatus> ReadFileStatus(const proc::ProcDir& process, const std::string& name) {
  return Stat(process.fd(), name.c_str(), AT_STATX_SYNC_AS_STAT,
              fmt::format("/proc/{}/{}", process.pid(), name));
}

Result<FileStatus> LookUp(const std::string& path, bool is_link) {
  return Stat(FdRef(AT_FDCWD), path.c_str(),
              AT_STATX_SYNC_AS_STAT | (is_link ? AT_SYMLINK_NOFOLLOW : 0),
              fmt::format("'{}'", path));
}

std::string OutsideHolder::Describe() const { return fmt::format("{} (pid {})", comm, pid); }

std::vector<OutsideHolder> FindHolders(const ProcessTree& tree, const std::set<ino_t>& pipes,
                                       const std::set<ino_t>& sockets) {
  std::vector<OutsideHolder> holders;
  if (pipes.empty() && sockets.empty()) return holders;
  const Result<std::vector<pid_t>> pids = proc::ListProcesses();
  if (!pids.ok()) return holders;
  for (const pid_t pid : pids.value()) {
    if (tree.Contains(pid)) continue;
    const Result<proc::ProcDir> process = proc::ProcDir::Open(pid);
    if (!process.ok()) continue;
    std::vector<OutsideHolder> held = HeldBy(process.value(), pipes, sockets);
    holders.insert(holders.end(), std::make_move_iterator(held.begin()),
                   std::make_move_iterator(held.end()));
  }
  return holders;
}

}  // namespace crd
