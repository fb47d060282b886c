#include "daemon/loop_ports.h"

#include <chrono>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>
#include <utility>

#include <fcntl.h>

#include "daemon/base/log.h"

namespace crd {

void LoopExitWatcher::Watch(FdRef pidfd, std::function<void()> ended) {
  if (auto token = watch_.Watch(pidfd, std::move(ended)); !token.ok()) {
    spdlog::error("watch a container's process: {}; its end will not be noticed",
                  token.error().message);
  }
}

void LoopExitWatcher::After(std::chrono::milliseconds delay, std::function<void()> then) {
  // Timers belong to the loop's thread.
  loop_.Post([this, when = SteadyClock::now() + delay, then = std::move(then)]() mutable {
    StartTimer(when, std::move(then));
  });
}

void LoopExitWatcher::StartTimer(Deadline when, std::function<void()> then) {
  const auto place = timers_.emplace(timers_.end());
  auto source = loop_.AddTimer(when, [this, place, then = std::move(then)] {
    then();
    timers_.erase(place);
  });
  if (source.ok()) {
    *place = std::move(*source);
    return;
  }
  spdlog::error("start a timer: {}", source.error().message);
  timers_.erase(place);
}

struct StoreFdKeeper::Queue {
  std::mutex mutex;
  std::condition_variable changed;
  std::deque<std::function<void()>> tasks;
  bool busy = false;
  bool stop = false;

  void Run() {
    std::unique_lock lock(mutex);
    for (;;) {
      changed.wait(lock, [&] { return stop || !tasks.empty(); });
      if (tasks.empty()) return;
      const std::function<void()> task = std::move(tasks.front());
      tasks.pop_front();
      busy = true;
      lock.unlock();
      task();
      lock.lock();
      busy = false;
      changed.notify_all();
    }
  }
};

StoreFdKeeper::StoreFdKeeper(const systemd::FdStore& store) : store_(store) {
  if (!store_.active()) return;
  queue_ = std::make_shared<Queue>();
  // Detached, since nothing can interrupt it while the supervisor does not read; it shares what it
  // uses.
  std::thread([queue = queue_] { queue->Run(); }).detach();
}

StoreFdKeeper::~StoreFdKeeper() {
  if (queue_ == nullptr) return;
  std::unique_lock lock(queue_->mutex);
  queue_->stop = true;
  queue_->changed.notify_all();
  queue_->changed.wait_for(lock, std::chrono::seconds(1),
                           [&] { return queue_->tasks.empty() && !queue_->busy; });
}

void StoreFdKeeper::Put(std::function<void()> task) {
  if (queue_ == nullptr) return;
  {
    const std::lock_guard lock(queue_->mutex);
    queue_->tasks.push_back(std::move(task));
  }
  queue_->changed.notify_all();
}

void StoreFdKeeper::Keep(const std::string& name, FdRef fd) {
  const auto copy = std::make_shared<UniqueFd>(::fcntl(fd.get(), F_DUPFD_CLOEXEC, 0));
  Put([store = store_, name, copy] {
    if (auto kept = store.Keep(name, copy->ref()); !kept.ok()) {
      spdlog::warn("keep '{}' in systemd's descriptor store: {}, ignoring", name,
                   kept.error().message);
    }
  });
}

void StoreFdKeeper::Forget(const std::string& name) {
  Put([store = store_, name] {
    if (auto forgotten = store.Forget(name); !forgotten.ok()) {
      spdlog::warn("drop '{}' from systemd's descriptor store: {}, ignoring", name,
                   forgotten.error().message);
    }
  });
}

}  // namespace crd
