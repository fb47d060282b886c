#include "daemon/runtime/execed.h"

#include <chrono>
#include <csignal>
#include <thread>

#include "daemon/base/pid_fd.h"
#include "daemon/base/proc.h"

namespace crd::runtime {
namespace {

// Nothing tells when a process of somebody else's has been reaped.
constexpr auto kLookAgain = std::chrono::milliseconds(5);

Result<ino_t> MountsOf(pid_t pid) {
  const proc::ProcDir process = TRY(proc::ProcDir::Open(pid));
  return proc::ReadNamespace(process, "mnt");
}

bool IsGone(const ProcessIdentity& process) {
  const auto directory = proc::ProcDir::Open(process.pid);
  const auto stat =
      directory.ok() ? proc::ReadStat(*directory) : Result<proc::Stat>(directory.error());
  return !stat.ok() || stat->start_time != process.start_time;
}

}  // namespace

Result<void> EndExeced(pid_t init, const std::vector<pid_t>& pids, Deadline patience) {
  const ino_t inside = TRY(MountsOf(init));
  std::vector<ProcessIdentity> killed;
  for (const pid_t pid : pids) {
    // The descriptor first: what is looked at then is what it holds.
    const auto process = PidFd::Open(pid);
    const auto its = MountsOf(pid);
    if (!process.ok() || !its.ok() || *its != inside) continue;
    TRY(process->Signal(SIGKILL));
    killed.push_back(process->identity());
  }
  for (const ProcessIdentity& process : killed) {
    while (!IsGone(process)) {
      if (SteadyClock::now() >= patience) {
        return Error{
            .code = Code::kDeadlineExceeded,
            .message = fmt::format("process {} was killed and is still there", process.pid),
            .hint = "see what holds it, and whether its parent reaps it"};
      }
      std::this_thread::sleep_for(kLookAgain);
    }
  }
  return {};
}

}  // namespace crd::runtime
