#include "daemon/core/anonymous_objects.h"

#include <algorithm>
#include <charconv>
#include <map>
#include <string_view>

#include <fcntl.h>
#include <linux/kcmp.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace crd {
namespace {

constexpr int kPidfdThread = O_EXCL;  // PIDFD_THREAD of <linux/pidfd.h>, Linux 6.9

// The number that follows `name`, in the given base, in one line of fdinfo.
template <typename T>
std::optional<T> NumberAfter(std::string_view line, std::string_view name, int base) {
  const std::size_t at = line.find(name);
  if (at == std::string_view::npos) return std::nullopt;
  line.remove_prefix(at + name.size());
  while (!line.empty() && line.front() == ' ') line.remove_prefix(1);
  T value = 0;
  if (std::from_chars(line.data(), line.data() + line.size(), value, base).ec != std::errc()) {
    return std::nullopt;
  }
  return value;
}

// Calls `check` with every line of fdinfo that begins with `word`, until it returns something.
template <typename Check>
std::optional<Error> ForLines(const std::string& text, std::string_view word, Check check) {
  for (std::string_view rest = text; !rest.empty();) {
    const std::size_t end = std::min(rest.find('\n'), rest.size());
    const std::string_view line = rest.substr(0, end);
    rest.remove_prefix(std::min(end + 1, rest.size()));
    if (line.substr(0, word.size()) != word) continue;
    if (std::optional<Error> error = check(line)) return error;
  }
  return std::nullopt;
}

// Whether descriptor `fd` is the file that an epoll watches under the number `target`; `nth` counts
// the watches of that number (kcmp(2), Linux 4.13). Not set where the kernel won't say.
std::optional<bool> IsWatched(pid_t pid, int fd, int epoll, int target, unsigned nth) {
  kcmp_epoll_slot slot{
      .efd = static_cast<__u32>(epoll), .tfd = static_cast<__u32>(target), .toff = nth};
  const long order = ::syscall(SYS_kcmp, pid, pid, KCMP_EPOLL_TFD, fd, &slot);
  if (order < 0) return std::nullopt;
  return order == 0;
}

// A watch outlives its descriptor if the file behind it has another one. CRIU finds that one only
// in the same process (criu 4.2, eventpoll.c: flush_eventpoll_dinfo_queue).
std::optional<Error> CheckEpoll(const TreeProcess& process, const std::vector<Descriptor>& all,
                                const Descriptor& descriptor, const proc::FdInfo& info) {
  std::map<int, unsigned> watches;
  return ForLines(info.text, "tfd:", [&](std::string_view line) -> std::optional<Error> {
    const auto target = NumberAfter<int>(line, "tfd:", 10);
    if (!target.has_value()) return std::nullopt;
    const unsigned nth = watches[*target]++;
    const auto watched = [&](int fd) {
      return IsWatched(process.pid, fd, descriptor.fd, *target, nth).value_or(true);
    };
    const auto has_number = [&](const Descriptor& other) { return other.fd == *target; };
    if (std::any_of(all.begin(), all.end(), has_number) && watched(*target)) return std::nullopt;
    if (std::any_of(all.begin(), all.end(),
                    [&](const Descriptor& other) { return watched(other.fd); })) {
      return std::nullopt;
    }
    return refusal::EscapedEpoll(process, descriptor.fd, *target);
  });
}

// Handles of these types name a file without being able to open it (FILEID_INO64_GEN and its
// variant with a parent, Linux 6.6). Older kernels print no handle at all.
std::optional<Error> CheckWatches(const TreeProcess& process, const Descriptor& descriptor,
                                  const proc::FdInfo& info) {
  return ForLines(info.text, "inotify ", [&](std::string_view line) -> std::optional<Error> {
    const auto type = NumberAfter<int>(line, "fhandle-type:", 16);
    if (type.has_value() && *type != 0x81 && *type != 0x82) return std::nullopt;
    return refusal::UnwatchablePath(process, fmt::format("descriptor {}", descriptor.fd));
  });
}

std::optional<Error> CheckPidfd(const ProcessTree& tree, const TreeProcess& process,
                                const Descriptor& descriptor, const proc::FdInfo& info) {
  if ((info.flags & kPidfdThread) != 0) return refusal::ThreadPidfd(process, descriptor.fd);
  const std::string target = proc::Field(info.text, "Pid").value_or("-1");
  const pid_t pid = NumberAfter<pid_t>(target, "", 10).value_or(-1);
  if (pid == -1 || tree.Contains(pid)) return std::nullopt;  // -1: it has ended
  return refusal::PidfdOutside(process, descriptor.fd, pid);
}

}  // namespace

std::optional<Error> CheckAnonymousObject(const ProcessTree& tree, const TreeProcess& process,
                                          const proc::ProcDir& directory,
                                          const std::vector<Descriptor>& all,
                                          const Descriptor& descriptor) {
  const std::string_view object =
      std::string_view(descriptor.link).substr(std::string_view("anon_inode:").size());
  // Names as of Linux 5.10 to 6.18.
  if (object == "[eventfd]" || object == "[signalfd]" || object == "[timerfd]" ||
      object == "[fanotify]") {
    return std::nullopt;
  }
  if (object == "[io_uring]") return refusal::IoUring(process);
  const bool epoll = object == "[eventpoll]";
  const bool inotify = object == "inotify";
  const bool pidfd = object == "[pidfd]";
  if (!epoll && !inotify && !pidfd) {
    return refusal::UnsupportedObject(process, fmt::format("descriptor {}", descriptor.fd),
                                      descriptor.link);
  }
  const Result<proc::FdInfo> info = proc::ReadFdInfo(directory, descriptor.fd);
  if (!info.ok()) return std::nullopt;
  if (epoll) return CheckEpoll(process, all, descriptor, info.value());
  if (inotify) return CheckWatches(process, descriptor, info.value());
  return CheckPidfd(tree, process, descriptor, info.value());
}

}  // namespace crd
