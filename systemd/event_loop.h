#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

#include <systemd/sd-event.h>

#include "daemon/base/clock.h"
#include "daemon/base/result.h"
#include "daemon/base/unique_fd.h"

namespace crd::systemd {

// Something that an EventLoop listens to, for as long as this handle lives. Belongs to the loop's
// thread. May be destroyed at any time there, also by the very function that it calls.
class [[nodiscard]] EventSource {
 public:
  EventSource() = default;
  EventSource(EventSource&& other) noexcept;
  EventSource& operator=(EventSource&& other) noexcept;
  EventSource(const EventSource&) = delete;
  EventSource& operator=(const EventSource&) = delete;
  ~EventSource();

  // False for a default-made or moved-from handle.
  [[nodiscard]] bool active() const { return source_ != nullptr; }
  void Remove();

 private:
  friend class EventLoop;
  struct Handler;
  static int OnIo(sd_event_source* source, int fd, std::uint32_t events, void* handler);
  static int OnSignal(sd_event_source* source, const signalfd_siginfo* info, void* handler);
  static int OnTime(sd_event_source* source, std::uint64_t usec, void* handler);

  std::shared_ptr<Handler> handler_;
  sd_event_source* source_ = nullptr;
};

// One thread's wait for descriptors, signals, times and messages of other threads: sd-event as a
// value. It has no timers of its own: with nothing to do it sleeps until something happens, save
// for systemd's watchdog, which is fed when systemd asks for it (WatchdogSec= in the unit).
//
// Everything but Post() belongs to the thread that calls Run(). Functions must not block.
class EventLoop {
 public:
  using IoFunction = std::function<void(std::uint32_t events)>;
  using Function = std::function<void()>;

  // Fails when the kernel refuses an epoll or eventfd descriptor.
  [[nodiscard]] static Result<std::unique_ptr<EventLoop>> Create();
  EventLoop(const EventLoop&) = delete;
  EventLoop& operator=(const EventLoop&) = delete;
  EventLoop(EventLoop&&) = delete;
  EventLoop& operator=(EventLoop&&) = delete;
  ~EventLoop();

  // Calls `on_ready` whenever one of `events` (EPOLLIN, …) is true of the descriptor, which has to
  // stay open for as long as the handle lives. One descriptor can be added once.
  [[nodiscard]] Result<EventSource> AddIo(FdRef fd, std::uint32_t events, IoFunction on_ready);
  // Fails with EBUSY unless the signal is blocked: block it in main() before any thread exists, or
  // another thread will be hit by it.
  [[nodiscard]] Result<EventSource> AddSignal(int signal, Function on_signal);
  // Calls `on_time` once, not before `when` and at most a millisecond later.
  [[nodiscard]] Result<EventSource> AddTimer(Deadline when, Function on_time);

  // Has the loop call the function, in the order of posting. Any thread may call it, the loop's own
  // too. What is still waiting when the loop ends is dropped without being called.
  void Post(Function function);

  // Dispatches until Exit() and gives its code. Can be called once.
  [[nodiscard]] Result<int> Run();
  // Ends Run() after the function that is being called.
  void Exit(int code);

 private:
  EventLoop() = default;
  void RunPosted();

  sd_event* event_ = nullptr;
  UniqueFd wake_up_;  // an eventfd, readable when something was posted
  EventSource wake_up_source_;
  std::mutex mutex_;
  std::vector<Function> posted_;  // guarded by mutex_
};

}  // namespace crd::systemd
