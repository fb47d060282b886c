#include "daemon/core/pids.h"

#include <chrono>
#include <optional>
#include <thread>

#include "daemon/base/proc.h"
#include "daemon/core/errors.h"

namespace crd {
namespace {

constexpr auto kLookAgain = std::chrono::milliseconds(5);

std::string CommandOf(pid_t pid) {
  const auto process = proc::ProcDir::Open(pid);
  if (!process.ok()) return "";
  const auto stat = proc::ReadStat(*process);
  return stat.ok() ? stat->comm : "";
}

// Who has the pid, as a refusal; empty if it is free.
std::optional<Error> FindHolder(pid_t pid) {
  // /proc/TID works for a thread's id too, though it is not listed.
  const auto process = proc::ProcDir::Open(pid);
  if (!process.ok()) return std::nullopt;
  const auto stat = proc::ReadStat(*process);
  const auto status = proc::ReadStatus(*process);
  if (!stat.ok() || !status.ok()) return std::nullopt;
  if (stat->state == 'Z' || stat->state == 'X') {
    return errors::PidStillZombie(pid, stat->ppid, CommandOf(stat->ppid));
  }
  return errors::PidTaken(pid, status->tgid, stat->comm);
}

}  // namespace

Result<void> WaitPidsFree(const std::vector<pid_t>& pids, Children& children, Deadline patience) {
  for (const pid_t pid : pids) {
    for (;;) {
      std::optional<Error> holder = FindHolder(pid);
      if (!holder.has_value()) break;
      const bool zombie = holder->reason == "PID_STILL_ZOMBIE";
      if (!zombie || SteadyClock::now() >= patience) return std::move(*holder);
      children.ReapStrangers();
      std::this_thread::sleep_for(kLookAgain);
    }
  }
  return {};
}

}  // namespace crd
