#include "daemon/base/proc.h"

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <cstring>
#include <map>

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>

#include "daemon/base/files.h"

namespace crd::proc {
namespace {

constexpr int kKernelThreadFlag = 0x00200000;  // PF_KTHREAD of <linux/sched.h>

template <typename T>
T Number(std::string_view text, int base = 10) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  T value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value, base);
  return value;
}

// Cuts off and returns the text up to the next `separator`, which is dropped.
std::string_view Cut(std::string_view& text, char separator) {
  const std::size_t at = text.find(separator);
  const std::string_view head = text.substr(0, at);
  text.remove_prefix(at == std::string_view::npos ? text.size() : at + 1);
  return head;
}

std::string_view Trimmed(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

// Once a process was reaped, its directory says ESRCH; a process that was never there, ENOENT. Both
// become kNotFound.
Error Failure(pid_t pid, const std::string& name) {
  return Error::Errno("read /proc/{}/{}", pid, name);
}

// <dirent.h> would cost three system calls more for each directory.
Result<std::vector<int>> Numbers(const UniqueFd& directory, const std::string& what) {
  std::vector<int> numbers;
  alignas(dirent64) char entries[4096];
  for (;;) {
    const long size = ::syscall(SYS_getdents64, directory.get(), entries, sizeof entries);
    if (size < 0) return Error::Errno("list {}", what);
    if (size == 0) break;
    for (long at = 0; at < size;) {
      unsigned short length = 0;
      std::memcpy(&length, entries + at + offsetof(dirent64, d_reclen), sizeof length);
      const std::string_view name = entries + at + offsetof(dirent64, d_name);
      int number = 0;
      const auto parsed = std::from_chars(name.data(), name.data() + name.size(), number);
      if (parsed.ec == std::errc() && parsed.ptr == name.data() + name.size()) {
        numbers.push_back(number);
      }
      at += length;
    }
  }
  std::sort(numbers.begin(), numbers.end());
  return numbers;
}

}  // namespace

Result<ProcDir> ProcDir::Open(pid_t pid) {
  UniqueFd fd(::open(fmt::format("/proc/{}", pid).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd.valid()) return Error::Errno("look at process {}", pid);
  return ProcDir(pid, std::move(fd));
}

Result<std::string> ProcDir::Read(const std::string& name) const {
  const UniqueFd fd(::openat(fd_.get(), name.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  if (!fd.valid()) return Failure(pid_, name);
  std::string content;
  char buffer[8192];
  for (;;) {
    const ssize_t got = ::read(fd.get(), buffer, sizeof buffer);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return Failure(pid_, name);
    if (got == 0) return content;
    if (content.size() + static_cast<std::size_t>(got) > kSmallFileLimit) {
      return Error{.code = Code::kResourceExhausted,
                   .message = fmt::format("read /proc/{}/{}: larger than {} bytes", pid_, name,
                                          kSmallFileLimit)};
    }
    content.append(buffer, static_cast<std::size_t>(got));
  }
}

Result<std::string> ProcDir::ReadLink(const std::string& name) const {
  char target[4096 + 16];  // PATH_MAX and " (deleted)"
  const ssize_t size = ::readlinkat(fd_.get(), name.c_str(), target, sizeof target);
  if (size < 0) return Failure(pid_, name);
  return std::string(target, static_cast<std::size_t>(size));
}

Result<std::vector<int>> ProcDir::ListNumbers(const std::string& name) const {
  const UniqueFd fd(::openat(fd_.get(), name.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd.valid()) return Failure(pid_, name);
  return Numbers(fd, fmt::format("/proc/{}/{}", pid_, name));
}

Result<Stat> ReadStat(const ProcDir& process) {
  const std::string text = TRY(process.Read("stat"));
  // The command may contain spaces and parentheses: fields are counted from its last ')'.
  const std::size_t open = text.find('(');
  const std::size_t close = text.rfind(')');
  if (open == std::string::npos || close == std::string::npos || close + 2 >= text.size()) {
    return Error::Internal("read /proc/{}/stat: malformed", process.pid());
  }
  Stat stat;
  stat.comm = text.substr(open + 1, close - open - 1);
  std::string_view rest = std::string_view(text).substr(close + 2);
  stat.state = Cut(rest, ' ').front();
  stat.ppid = Number<pid_t>(Cut(rest, ' '));
  stat.pgid = Number<pid_t>(Cut(rest, ' '));
  stat.sid = Number<pid_t>(Cut(rest, ' '));
  stat.tty = Number<int>(Cut(rest, ' '));
  Cut(rest, ' ');  // 8: foreground process group
  stat.kernel_thread = (Number<unsigned>(Cut(rest, ' ')) & kKernelThreadFlag) != 0;
  for (int field = 10; field < 22; ++field) Cut(rest, ' ');
  stat.start_time = Number<std::uint64_t>(Cut(rest, ' '));
  return stat;
}

namespace {

Ids ParseIds(std::string_view value) {
  Ids ids;
  for (uid_t* id : {&ids.real, &ids.effective, &ids.saved, &ids.filesystem}) {
    *id = Number<uid_t>(Cut(value, '\t'));
  }
  return ids;
}

std::uint64_t Kilobytes(std::string_view value) { return Number<std::uint64_t>(value) << 10U; }

}  // namespace

Result<Status> ReadStatus(const ProcDir& process) { return ReadThreadStatus(process, 0); }

Result<Status> ReadThreadStatus(const ProcDir& process, pid_t thread) {
  const std::string text =
      TRY(process.Read(thread == 0 ? "status" : fmt::format("task/{}/status", thread)));
  Status status;
  for (std::string_view rest = text; !rest.empty();) {
    std::string_view value = Cut(rest, '\n');
    const std::string_view name = Cut(value, ':');
    value = Trimmed(value);
    if (name == "Tgid") status.tgid = Number<pid_t>(value);
    if (name == "TracerPid") status.tracer = Number<pid_t>(value);
    if (name == "Uid") status.uid = ParseIds(value);
    if (name == "Gid") status.gid = ParseIds(value);
    if (name == "Threads") status.threads = Number<int>(value);
    if (name == "SigPnd" || name == "ShdPnd") {
      status.pending_signals |= Number<std::uint64_t>(value, 16);
    }
    if (name == "RssAnon") status.anonymous_bytes = Kilobytes(value);
    if (name == "RssShmem") status.shared_bytes = Kilobytes(value);
    if (name == "VmSwap") status.swapped_bytes = Kilobytes(value);
  }
  return status;
}

Result<std::string> ReadCommandLine(const ProcDir& process, std::size_t limit) {
  const UniqueFd fd(::openat(process.fd().get(), "cmdline", O_RDONLY | O_CLOEXEC));
  if (!fd.valid()) return Failure(process.pid(), "cmdline");
  std::string line(limit, '\0');
  const ssize_t got = ::read(fd.get(), line.data(), line.size());
  if (got < 0) return Failure(process.pid(), "cmdline");
  line.resize(static_cast<std::size_t>(got));
  while (!line.empty() && line.back() == '\0') line.pop_back();
  for (char& c : line) {
    if (c == '\0') c = ' ';
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = '?';
  }
  return line;
}

Result<std::vector<pid_t>> ReadChildren(const ProcDir& process) {
  std::vector<pid_t> children;
  for (const int thread : TRY(process.ListNumbers("task"))) {
    const Result<std::string> text = process.Read(fmt::format("task/{}/children", thread));
    if (!text.ok() && text.error().code == Code::kNotFound) continue;
    if (!text.ok()) return text.error();
    for (std::string_view rest = text.value(); !rest.empty();) {
      if (const auto child = Number<pid_t>(Cut(rest, ' ')); child > 0) children.push_back(child);
    }
  }
  std::sort(children.begin(), children.end());
  return children;
}

Result<FdInfo> ReadFdInfo(const ProcDir& process, int fd) {
  FdInfo info;
  info.text = TRY(process.Read(fmt::format("fdinfo/{}", fd)));
  for (std::string_view rest = info.text; !rest.empty();) {
    std::string_view value = Cut(rest, '\n');
    const std::string_view name = Cut(value, ':');
    value = Trimmed(value);
    if (name == "flags") info.flags = Number<int>(value, 8);
    if (name == "pos") info.position = Number<std::uint64_t>(value);
    if (name == "mnt_id") info.mount = Number<int>(value);
    if (name == "lock") info.locks.emplace_back(value);
  }
  return info;
}

std::optional<std::string> Field(const std::string& text, std::string_view name) {
  for (std::string_view rest = text; !rest.empty();) {
    std::string_view value = Cut(rest, '\n');
    if (Cut(value, ':') == name) return std::string(Trimmed(value));
  }
  return std::nullopt;
}

Result<std::vector<Mapping>> ReadNamedMappings(const ProcDir& process) {
  const std::string text = TRY(process.Read("maps"));
  std::vector<Mapping> mappings;
  for (std::string_view rest = text; !rest.empty();) {
    // 7f00-7f10 rw-s 00000000 00:0f 1234    /path
    std::string_view line = Cut(rest, '\n');
    const auto begin = Number<std::uint64_t>(Cut(line, '-'), 16);
    const auto end = Number<std::uint64_t>(Cut(line, ' '), 16);
    const std::string_view access = Cut(line, ' ');
    Cut(line, ' ');
    const auto major = Number<unsigned>(Cut(line, ':'), 16);
    const auto minor = Number<unsigned>(Cut(line, ' '), 16);
    const auto inode = Number<ino_t>(Cut(line, ' '));
    const std::string_view path = Trimmed(line);
    if (path.empty() || (!mappings.empty() && mappings.back().path == path)) continue;
    mappings.push_back({.begin = begin,
                        .end = end,
                        .shared = access.size() == 4 && access[3] == 's',
                        .device = makedev(major, minor),
                        .inode = inode,
                        .path = std::string(path)});
  }
  return mappings;
}

Result<std::vector<SharedMemory>> ReadSharedMemory(const ProcDir& process) {
  const std::string text = TRY(process.Read("maps"));
  std::map<std::pair<dev_t, ino_t>, std::uint64_t> sizes;
  for (std::string_view rest = text; !rest.empty();) {
    // The same lines as above.
    std::string_view line = Cut(rest, '\n');
    const auto begin = Number<std::uint64_t>(Cut(line, '-'), 16);
    const auto end = Number<std::uint64_t>(Cut(line, ' '), 16);
    const std::string_view access = Cut(line, ' ');
    Cut(line, ' ');
    const auto major = Number<unsigned>(Cut(line, ':'), 16);
    const auto minor = Number<unsigned>(Cut(line, ' '), 16);
    const auto inode = Number<ino_t>(Cut(line, ' '));
    if (!access.ends_with('s') || major != 0 || inode == 0) continue;
    sizes[{makedev(major, minor), inode}] += end - begin;
  }
  std::vector<SharedMemory> objects;
  for (const auto& [object, bytes] : sizes)
    objects.push_back({.device = object.first, .inode = object.second, .bytes = bytes});
  return objects;
}

Result<pid_t> ReadInnermostPid(pid_t pid) {
  const ProcDir process = TRY(ProcDir::Open(pid));
  const std::string status = TRY(process.Read("status"));
  const std::optional<std::string> pids = Field(status, "NSpid");
  if (!pids.has_value()) return pid;
  return Number<pid_t>(std::string_view(*pids).substr(pids->find_last_of("\t ") + 1));
}

Result<ino_t> ReadNamespace(const ProcDir& process, const std::string& name) {
  struct stat status {};
  if (::fstatat(process.fd().get(), ("ns/" + name).c_str(), &status, 0) == 0) return status.st_ino;
  if (errno != ENOENT) return Failure(process.pid(), "ns/" + name);
  // A kernel without this kind of namespace, or a process that has just been reaped.
  static_cast<void>(TRY(process.Read("stat")));
  return ino_t{0};
}

Result<UniqueFd> CopyDescriptor(FdRef pidfd, int fd) {
  UniqueFd copy(static_cast<int>(::syscall(SYS_pidfd_getfd, pidfd.get(), fd, 0)));
  if (!copy.valid() && errno == EBADF) errno = ENOENT;
  if (!copy.valid()) return Error::Errno("copy descriptor {} of another process", fd);
  return copy;
}

Result<std::vector<pid_t>> ListProcesses() {
  const UniqueFd fd(::open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd.valid()) return Error::Errno("open /proc");
  return Numbers(fd, "/proc");
}

}  // namespace crd::proc
