#include "daemon/base/pid_fd.h"

#include <charconv>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <thread>

#include <poll.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "daemon/base/files.h"

namespace crd {
namespace {

// <linux/pidfd.h> of Linux 6.15; Debian 12 and 13 ship older headers.
struct PidfdInfo {
  std::uint64_t mask;
  std::uint64_t cgroup_id;
  std::uint32_t pid, tgid, ppid;
  std::uint32_t ruid, rgid, euid, egid, suid, sgid, fsuid, fsgid;
  std::int32_t exit_code;
};
static_assert(sizeof(PidfdInfo) == 64);
constexpr std::uint64_t kPidfdInfoExit = 1U << 3;
constexpr unsigned long kPidfdGetInfo = _IOWR(0xFF, 11, PidfdInfo);

int PidfdOpen(pid_t pid) { return static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)); }

}  // namespace

ExitStatus ExitStatus::FromWait(int wait_status) {
  if (WIFEXITED(wait_status)) return {.code = WEXITSTATUS(wait_status), .signal = {}};
  if (WIFSIGNALED(wait_status)) return {.code = {}, .signal = WTERMSIG(wait_status)};
  return {};
}

Result<std::uint64_t> ReadStartTime(pid_t pid) {
  const std::string stat = TRY(ReadFile(fmt::format("/proc/{}/stat", pid)));
  // The command may contain spaces and parentheses: fields are counted from its last ')'.
  std::size_t at = stat.rfind(')');
  for (int field = 2; field < 22 && at != std::string::npos; ++field) at = stat.find(' ', at + 1);
  std::uint64_t ticks = 0;
  if (at == std::string::npos ||
      std::from_chars(stat.data() + at + 1, stat.data() + stat.size(), ticks).ec != std::errc()) {
    return Error::Internal("read start time of process {}: /proc/{}/stat is malformed", pid, pid);
  }
  return ticks;
}

Result<std::string> ReadBootId() {
  std::string id = TRY(ReadFile("/proc/sys/kernel/random/boot_id"));
  while (!id.empty() && id.back() == '\n') id.pop_back();
  return id;
}

Result<PidFd> PidFd::Open(pid_t pid) {
  UniqueFd fd(PidfdOpen(pid));
  if (!fd.valid()) return Error::Errno("open process {}", pid);
  // The pid cannot have been reused between the two if the process behind the pidfd still lives or
  // is still a zombie: signal 0 fails with ESRCH only once it has been reaped.
  const std::uint64_t start_time = TRY(ReadStartTime(pid));
  PidFd process(std::move(fd), {.pid = pid, .start_time = start_time});
  TRY(process.Signal(0));
  return process;
}

Result<PidFd> PidFd::Reopen(const ProcessIdentity& identity) {
  PidFd process = TRY(Open(identity.pid));
  if (process.identity_.start_time != identity.start_time) {
    return Error{.code = Code::kNotFound,
                 .message = fmt::format("process {} has ended; its pid belongs to another process",
                                        identity.pid)};
  }
  return process;
}

PidFd PidFd::Take(UniqueFd fd, const ProcessIdentity& identity) {
  return {std::move(fd), identity};
}

Result<void> PidFd::Signal(int signal) const {
  if (::syscall(SYS_pidfd_send_signal, fd_.get(), signal, nullptr, 0) != 0) {
    return Error::Errno("signal {} to process {}", signal, identity_.pid);
  }
  return {};
}

bool PidFd::HasExited() const { return WaitExit(SteadyClock::now()); }

bool PidFd::WaitExit(Deadline deadline) const {
  for (;;) {
    pollfd poll_fd{.fd = fd_.get(), .events = POLLIN, .revents = 0};
    const int timeout = PollTimeout(deadline);
    const int ready = ::poll(&poll_fd, 1, timeout);
    if (ready > 0) return true;
    if (ready == 0 && (timeout == 0 || SteadyClock::now() >= deadline)) return false;
  }
}

std::optional<ExitStatus> PidFd::TryExitStatus() const {
  siginfo_t info{};
  if (::waitid(P_PIDFD, static_cast<id_t>(fd_.get()), &info, WEXITED | WNOHANG) == 0) {
    if (info.si_pid == 0) return std::nullopt;
    if (info.si_code == CLD_EXITED) return ExitStatus{.code = info.si_status, .signal = {}};
    return ExitStatus{.code = {}, .signal = info.si_status};
  }
  PidfdInfo answer{};
  answer.mask = kPidfdInfoExit;
  if (::ioctl(fd_.get(), kPidfdGetInfo, &answer) != 0) {
    // ESRCH and success without the bit mean "not reaped yet"; anything else, "this kernel can't".
    if (errno == ESRCH) return std::nullopt;
    return ExitStatus{};
  }
  if ((answer.mask & kPidfdInfoExit) == 0) return std::nullopt;
  return ExitStatus::FromWait(answer.exit_code);
}

ExitStatus PidFd::TakeExitStatus(Deadline patience) const {
  for (;;) {
    if (auto status = TryExitStatus()) return *status;
    if (SteadyClock::now() >= patience) return {};
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
}

}  // namespace crd
