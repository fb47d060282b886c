#include "daemon/core/timers.h"

#include <charconv>
#include <optional>

#include <poll.h>
#include <sys/ioctl.h>
#include <sys/timerfd.h>

#include "daemon/base/pid_fd.h"
#include "daemon/base/proc.h"
#include "daemon/core/process_tree.h"
#include "daemon/criu/images.h"

namespace crd {
namespace {

// <linux/timerfd.h> has it, but cannot be included beside <sys/timerfd.h>.
constexpr unsigned long kSetTicks = _IOW('T', 0, std::uint64_t);

// A timer of a nanosecond expires at once; this only keeps a broken one from hanging us.
constexpr int kExpiryMillis = 1000;

// "(1, 500000)" of fdinfo: seconds and nanoseconds.
std::optional<timespec> ParseTime(const std::optional<std::string>& text) {
  if (!text.has_value() || !text->starts_with('(')) return std::nullopt;
  timespec time{};
  const char* const end = text->data() + text->size();
  const auto seconds = std::from_chars(text->data() + 1, end, time.tv_sec);
  if (seconds.ec != std::errc() || end - seconds.ptr < 3) return std::nullopt;
  const auto nanoseconds = std::from_chars(seconds.ptr + 2, end, time.tv_nsec);
  if (nanoseconds.ec != std::errc()) return std::nullopt;
  return time;
}

bool IsZero(const timespec& time) { return time.tv_sec == 0 && time.tv_nsec == 0; }

// A timer that CRIU disarmed although it had expired and is to expire again.
struct StoppedTimer {
  timespec interval{};
  std::uint64_t ticks = 0;
};

std::optional<StoppedTimer> FindStopped(const proc::FdInfo& info) {
  const auto value = ParseTime(proc::Field(info.text, "it_value"));
  const auto interval = ParseTime(proc::Field(info.text, "it_interval"));
  const auto ticks = proc::Field(info.text, "ticks");
  if (!value.has_value() || !interval.has_value() || !ticks.has_value()) return std::nullopt;
  StoppedTimer timer{.interval = *interval};
  std::from_chars(ticks->data(), ticks->data() + ticks->size(), timer.ticks);
  // Without ticks it is one that the program itself disarmed.
  if (!IsZero(*value) || IsZero(*interval) || timer.ticks == 0) return std::nullopt;
  return timer;
}

Result<void> Rearm(FdRef fd, const StoppedTimer& timer) {
  const itimerspec soon{.it_interval = timer.interval, .it_value = {.tv_sec = 0, .tv_nsec = 1}};
  if (::timerfd_settime(fd.get(), 0, &soon, nullptr) != 0) return Error::Errno("set a timer going");
  pollfd expiry{.fd = fd.get(), .events = POLLIN, .revents = 0};
  if (::poll(&expiry, 1, kExpiryMillis) != 1) return Error::Internal("a timer does not expire");
  if (::ioctl(fd.get(), kSetTicks, &timer.ticks) != 0)
    return Error::Errno("set how often a timer has expired");
  return {};
}

Result<void> RearmTimersOf(const proc::ProcDir& directory) {
  std::optional<PidFd> process;
  for (const int fd : TRY(directory.ListNumbers("fd"))) {
    if (TRY(directory.ReadLink(fmt::format("fd/{}", fd))) != "anon_inode:[timerfd]") continue;
    const auto stopped = FindStopped(TRY(proc::ReadFdInfo(directory, fd)));
    if (!stopped.has_value()) continue;
    if (!process.has_value()) process = TRY(PidFd::Open(directory.pid()));
    const UniqueFd timer = TRY(proc::CopyDescriptor(process->fd(), fd));
    TRY(Rearm(timer.ref(), *stopped)
            .Annotate(fmt::format("descriptor {} of process {}", fd, directory.pid())));
  }
  return {};
}

}  // namespace

Result<void> RearmTimers(const std::vector<pid_t>& processes) {
  for (const pid_t pid : processes) {
    const auto directory = proc::ProcDir::Open(pid);
    if (directory.ok()) {
      TRY(RearmTimersOf(*directory));
    } else if (directory.error().code != Code::kNotFound) {
      // Not being there any more is right for one that had ended already when it was dumped.
      return directory.error();
    }
  }
  return {};
}

Result<void> SetTimersGoing(pid_t root, FdRef images) {
  const auto needed = criu::HasExpiredPeriodicTimer(images);
  // An image too big to be read whole is no reason to fail: then all descriptors are looked at.
  if (needed.ok() && !*needed) return {};
  const ProcessTree tree = TRY(ReadProcessTree(root));
  std::vector<pid_t> processes;
  for (const TreeProcess& process : tree.processes()) {
    if (!process.zombie()) processes.push_back(process.pid);
  }
  return RearmTimers(processes);
}

}  // namespace crd
