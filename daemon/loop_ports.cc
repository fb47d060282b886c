#include "daemon/loop_ports.h"

#include <utility>

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

void StoreFdKeeper::Keep(const std::string& name, FdRef fd) {
  if (auto kept = store_.Keep(name, fd); !kept.ok()) {
    spdlog::warn("keep '{}' in systemd's descriptor store: {}, ignoring", name,
                 kept.error().message);
  }
}

void StoreFdKeeper::Forget(const std::string& name) {
  if (auto forgotten = store_.Forget(name); !forgotten.ok()) {
    spdlog::warn("drop '{}' from systemd's descriptor store: {}, ignoring", name,
                 forgotten.error().message);
  }
}

}  // namespace crd
