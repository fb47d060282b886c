#include "daemon/base/children.h"

#include <charconv>
#include <csignal>
#include <string>
#include <vector>

#include <sys/wait.h>

#include "daemon/base/files.h"

namespace crd {
namespace {

std::vector<pid_t> ReadChildPids() {
  std::vector<pid_t> pids;
  auto tasks = OpenDirectory("/proc/self/task");
  if (!tasks.ok()) return pids;
  auto threads = ListDirectory(tasks->ref());
  if (!threads.ok()) return pids;
  for (const std::string& thread : *threads) {
    const auto list = ReadFile(fmt::format("/proc/self/task/{}/children", thread));
    if (!list.ok()) continue;
    const char* at = list->data();
    const char* const end = at + list->size();
    pid_t pid = 0;
    while (at < end) {
      const auto [next, error] = std::from_chars(at, end, pid);
      if (error == std::errc()) pids.push_back(pid);
      at = error == std::errc() ? next : at + 1;
    }
  }
  return pids;
}

}  // namespace

Child::Child(Child&& other) noexcept
    : children_(std::exchange(other.children_, nullptr)), process_(std::move(other.process_)) {}

Child::~Child() {
  if (children_ == nullptr) return;
  Kill();
  static_cast<void>(Wait(kNoDeadline));
}

void Child::LetGo() { std::exchange(children_, nullptr)->Disown(pid()); }

void Child::Kill() { static_cast<void>(process_.Signal(SIGKILL)); }

Result<ExitStatus> Child::Wait(Deadline deadline) {
  if (!process_.WaitExit(deadline)) {
    return Error{.code = Code::kDeadlineExceeded,
                 .message = fmt::format("process {} did not end in time", pid())};
  }
  const ExitStatus status = process_.TakeExitStatus(SteadyClock::now());
  std::exchange(children_, nullptr)->Disown(pid());
  return status;
}

Result<Child> Children::Launch(const LaunchSpec& spec) {
  // Held over spawn and registration: a child that ends at once must not be taken for a stranger.
  const std::lock_guard lock(mutex_);
  const pid_t pid = TRY(Spawn(spec, descriptors_));
  auto process = PidFd::Open(pid);
  if (!process.ok()) {
    ::kill(pid, SIGKILL);
    ::waitpid(pid, nullptr, 0);
    return std::move(process).error();
  }
  owned_.insert(pid);
  return Child(*this, std::move(*process));
}

void Children::Adopt(pid_t pid) {
  const std::lock_guard lock(mutex_);
  owned_.insert(pid);
}

void Children::Disown(pid_t pid) {
  const std::lock_guard lock(mutex_);
  owned_.erase(pid);
}

int Children::ReapStrangers() {
  const std::lock_guard lock(mutex_);
  int reaped = 0;
  for (const pid_t pid : ReadChildPids()) {
    if (owned_.contains(pid)) continue;
    siginfo_t info{};
    if (::waitid(P_PID, static_cast<id_t>(pid), &info, WEXITED | WNOHANG) == 0 &&
        info.si_pid == pid) {
      ++reaped;
    }
  }
  return reaped;
}

}  // namespace crd
