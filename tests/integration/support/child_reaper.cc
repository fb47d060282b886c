#include "tests/integration/support/child_reaper.h"

#include <csignal>

#include <poll.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>

namespace crd::testing {

ChildReaper::ChildReaper() {
  ::prctl(PR_SET_CHILD_SUBREAPER, 1);
  sigset_t child;
  sigemptyset(&child);
  sigaddset(&child, SIGCHLD);
  ::pthread_sigmask(SIG_BLOCK, &child, nullptr);
  signals_.reset(::signalfd(-1, &child, SFD_CLOEXEC | SFD_NONBLOCK));
  thread_ = std::thread([this] { Run(); });
}

ChildReaper::~ChildReaper() {
  stop_.Cancel();
  thread_.join();
}

pid_t ChildReaper::Start(const std::function<pid_t()>& start) {
  const std::lock_guard lock(mutex_);
  const pid_t pid = start();
  statuses_.erase(pid);  // of an earlier process with this pid
  return pid;
}

std::optional<int> ChildReaper::Wait(pid_t pid, Deadline deadline) {
  std::unique_lock lock(mutex_);
  const auto ended = [&] { return statuses_.count(pid) != 0; };
  if (!reaped_.wait_until(lock, deadline, ended)) return std::nullopt;
  return statuses_[pid];
}

void ChildReaper::Run() {
  pollfd watched[] = {{.fd = signals_.get(), .events = POLLIN, .revents = 0},
                      {.fd = stop_.fd().get(), .events = POLLIN, .revents = 0}};
  while (!stop_.cancelled()) {
    ReapAll();
    ::poll(watched, 2, -1);
    signalfd_siginfo ignored{};
    while (::read(signals_.get(), &ignored, sizeof ignored) > 0) {
    }
  }
}

void ChildReaper::ReapAll() {
  const std::lock_guard lock(mutex_);
  int status = 0;
  for (;;) {
    const pid_t pid = ::waitpid(-1, &status, WNOHANG);
    if (pid <= 0) break;
    statuses_[pid] = status;
  }
  reaped_.notify_all();
}

}  // namespace crd::testing
