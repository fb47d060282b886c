#pragma once

#include <functional>
#include <list>
#include <memory>
#include <string>

#include "daemon/core/ports.h"
#include "systemd/event_loop.h"
#include "systemd/exit_watch.h"
#include "systemd/fd_store.h"

namespace crd {

// core's ports, on systemd's loop and descriptor store.
class LoopExitWatcher final : public ExitWatcher {
 public:
  // Both outlive it. Destroyed on the loop's thread.
  LoopExitWatcher(systemd::EventLoop& loop, systemd::ExitWatch& watch)
      : loop_(loop), watch_(watch) {}
  void Watch(FdRef pidfd, std::function<void()> ended) override;
  void After(std::chrono::milliseconds delay, std::function<void()> then) override;

 private:
  void StartTimer(Deadline when, std::function<void()> then);
  systemd::EventLoop& loop_;
  systemd::ExitWatch& watch_;
  std::list<systemd::EventSource> timers_;  // the loop's thread only
};

// Speaks to systemd on a thread of its own: a supervisor that does not read its socket must not
// hold up a restore. What has not been said shortly after the end is left unsaid.
class StoreFdKeeper final : public FdKeeper {
 public:
  explicit StoreFdKeeper(const systemd::FdStore& store);
  StoreFdKeeper(const StoreFdKeeper&) = delete;
  StoreFdKeeper& operator=(const StoreFdKeeper&) = delete;
  ~StoreFdKeeper() override;
  void Keep(const std::string& name, FdRef fd) override;
  void Forget(const std::string& name) override;

 private:
  struct Queue;
  void Put(std::function<void()> task);
  const systemd::FdStore store_;
  std::shared_ptr<Queue> queue_;
};

}  // namespace crd
