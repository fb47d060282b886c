#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>

#include "daemon/base/clock.h"
#include "daemon/base/unique_fd.h"
#include "daemon/core/ports.h"

namespace crd::testing {

// The daemon's event loop as far as core needs it, on a thread of its own.
class ThreadExitWatcher final : public ExitWatcher {
 public:
  ThreadExitWatcher()
      : wake_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)), thread_([this] { Run(); }) {}
  ThreadExitWatcher(const ThreadExitWatcher&) = delete;
  ThreadExitWatcher& operator=(const ThreadExitWatcher&) = delete;
  ~ThreadExitWatcher() override { Stop(); }

  // Calls nothing any more once it has returned. Before what the functions use is destroyed.
  void Stop() {
    {
      const std::lock_guard lock(mutex_);
      stop_ = true;
    }
    Wake();
    if (thread_.joinable()) thread_.join();
  }

  void Watch(FdRef pidfd, std::function<void()> ended) override {
    {
      const std::lock_guard lock(mutex_);
      watched_.push_back({UniqueFd(::fcntl(pidfd.get(), F_DUPFD_CLOEXEC, 0)), std::move(ended)});
    }
    Wake();
  }

  void After(std::chrono::milliseconds delay, std::function<void()> then) override {
    {
      const std::lock_guard lock(mutex_);
      timers_.emplace(SteadyClock::now() + delay, std::move(then));
    }
    Wake();
  }

 private:
  struct Watched {
    UniqueFd pidfd;
    std::function<void()> ended;
  };

  void Wake() {
    const std::uint64_t one = 1;
    [[maybe_unused]] const ssize_t put = ::write(wake_.get(), &one, sizeof one);
  }

  // What is due now, and when to look again.
  std::vector<std::function<void()>> TakeDue(Deadline& next) {
    const std::lock_guard lock(mutex_);
    std::vector<std::function<void()>> due;
    std::erase_if(watched_, [&](Watched& watched) {
      pollfd ended{.fd = watched.pidfd.get(), .events = POLLIN, .revents = 0};
      if (::poll(&ended, 1, 0) != 1) return false;
      due.push_back(std::move(watched.ended));
      return true;
    });
    while (!timers_.empty() && timers_.begin()->first <= SteadyClock::now()) {
      due.push_back(std::move(timers_.begin()->second));
      timers_.erase(timers_.begin());
    }
    next = timers_.empty() ? kNoDeadline : timers_.begin()->first;
    if (stop_) due.clear();
    return due;
  }

  bool WaitForSomething(Deadline next) {
    std::vector<pollfd> fds = {{.fd = wake_.get(), .events = POLLIN, .revents = 0}};
    {
      const std::lock_guard lock(mutex_);
      if (stop_) return false;
      for (const Watched& watched : watched_) {
        fds.push_back({.fd = watched.pidfd.get(), .events = POLLIN, .revents = 0});
      }
    }
    ::poll(fds.data(), fds.size(), PollTimeout(next));
    std::uint64_t woken = 0;
    [[maybe_unused]] const ssize_t got = ::read(wake_.get(), &woken, sizeof woken);
    return true;
  }

  void Run() {
    Deadline next = kNoDeadline;
    do {
      for (const auto& function : TakeDue(next)) function();
    } while (WaitForSomething(next));
  }

  UniqueFd wake_;
  std::mutex mutex_;
  std::vector<Watched> watched_;
  std::multimap<Deadline, std::function<void()>> timers_;
  bool stop_ = false;
  std::thread thread_;  // last: it uses everything above
};

// Remembers what is kept. Thread-safe.
class FakeFdKeeper final : public FdKeeper {
 public:
  void Keep(const std::string& name, FdRef /*fd*/) override {
    const std::lock_guard lock(mutex_);
    names_.insert(name);
  }
  void Forget(const std::string& name) override {
    const std::lock_guard lock(mutex_);
    names_.erase(name);
  }
  [[nodiscard]] std::set<std::string> names() const {
    const std::lock_guard lock(mutex_);
    return names_;
  }

 private:
  mutable std::mutex mutex_;
  std::set<std::string> names_;
};

}  // namespace crd::testing
