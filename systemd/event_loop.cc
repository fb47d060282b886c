#include "systemd/event_loop.h"

#include <chrono>
#include <ctime>

#include <fmt/format.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>

namespace crd::systemd {
namespace {

// sd-event takes 0 as "a quarter of a second is near enough".
constexpr std::uint64_t kTimerAccuracyMicros = 1000;

}  // namespace

// Kept alive by its EventSource, and by a callback while it runs: the function may remove itself.
struct EventSource::Handler : std::enable_shared_from_this<Handler> {
  EventLoop::IoFunction on_io;
  EventLoop::Function on_event;

  static std::shared_ptr<Handler> Hold(void* self) {
    return static_cast<Handler*>(self)->shared_from_this();
  }
};

EventSource::EventSource(EventSource&& other) noexcept
    : handler_(std::move(other.handler_)), source_(std::exchange(other.source_, nullptr)) {}

EventSource& EventSource::operator=(EventSource&& other) noexcept {
  if (this != &other) {
    Remove();
    handler_ = std::move(other.handler_);
    source_ = std::exchange(other.source_, nullptr);
  }
  return *this;
}

EventSource::~EventSource() { Remove(); }

void EventSource::Remove() {
  // Moved out first: destroying the function may destroy the object that holds this handle.
  const std::shared_ptr<Handler> handler = std::move(handler_);
  sd_event_source_disable_unref(std::exchange(source_, nullptr));
}

int EventSource::OnIo(sd_event_source* /*source*/, int /*fd*/, std::uint32_t events,
                      void* handler) {
  Handler::Hold(handler)->on_io(events);
  return 0;
}

int EventSource::OnSignal(sd_event_source* /*source*/, const signalfd_siginfo* /*info*/,
                          void* handler) {
  Handler::Hold(handler)->on_event();
  return 0;
}

int EventSource::OnTime(sd_event_source* /*source*/, std::uint64_t /*usec*/, void* handler) {
  Handler::Hold(handler)->on_event();
  return 0;
}

Result<std::unique_ptr<EventLoop>> EventLoop::Create() {
  std::unique_ptr<EventLoop> loop(new EventLoop);
  if (const int got = sd_event_new(&loop->event_); got < 0) {
    return Error::FromErrno(-got, "make the event loop");
  }
  loop->wake_up_ = UniqueFd(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!loop->wake_up_.valid()) return Error::Errno("make the event loop's eventfd");
  loop->wake_up_source_ = TRY(loop->AddIo(
      loop->wake_up_.ref(), EPOLLIN, [self = loop.get()](std::uint32_t) { self->RunPosted(); }));
  // Does nothing unless systemd set WATCHDOG_USEC for this process: sd_event_set_watchdog(3).
  if (const int got = sd_event_set_watchdog(loop->event_, 1); got < 0) {
    return Error::FromErrno(-got, "arm systemd's watchdog");
  }
  return loop;
}

EventLoop::~EventLoop() {
  wake_up_source_.Remove();
  sd_event_unref(event_);
}

Result<EventSource> EventLoop::AddIo(FdRef fd, std::uint32_t events, IoFunction on_ready) {
  EventSource source;
  source.handler_ = std::make_shared<EventSource::Handler>();
  source.handler_->on_io = std::move(on_ready);
  const int got = sd_event_add_io(event_, &source.source_, fd.get(), events, &EventSource::OnIo,
                                  source.handler_.get());
  if (got < 0) return Error::FromErrno(-got, fmt::format("watch descriptor {}", fd.get()));
  return source;
}

Result<EventSource> EventLoop::AddSignal(int signal, Function on_signal) {
  EventSource source;
  source.handler_ = std::make_shared<EventSource::Handler>();
  source.handler_->on_event = std::move(on_signal);
  const int got = sd_event_add_signal(event_, &source.source_, signal, &EventSource::OnSignal,
                                      source.handler_.get());
  if (got < 0) return Error::FromErrno(-got, fmt::format("watch for signal {}", signal));
  return source;
}

Result<EventSource> EventLoop::AddTimer(Deadline when, Function on_time) {
  // std::chrono::steady_clock is CLOCK_MONOTONIC in both libstdc++ and libc++.
  const auto micros = std::chrono::ceil<std::chrono::microseconds>(when.time_since_epoch()).count();
  EventSource source;
  source.handler_ = std::make_shared<EventSource::Handler>();
  source.handler_->on_event = std::move(on_time);
  const int got = sd_event_add_time(event_, &source.source_, CLOCK_MONOTONIC,
                                    static_cast<std::uint64_t>(micros), kTimerAccuracyMicros,
                                    &EventSource::OnTime, source.handler_.get());
  if (got < 0) return Error::FromErrno(-got, "set a timer");
  return source;
}

void EventLoop::Post(Function function) {
  {
    const std::lock_guard lock(mutex_);
    posted_.push_back(std::move(function));
    if (posted_.size() > 1) return;  // the loop has been woken for the one before
  }
  const std::uint64_t one = 1;
  // Cannot fail in a way that matters: the counter is far from full.
  [[maybe_unused]] const ssize_t put = ::write(wake_up_.get(), &one, sizeof one);
}

void EventLoop::RunPosted() {
  std::uint64_t count = 0;
  [[maybe_unused]] const ssize_t got = ::read(wake_up_.get(), &count, sizeof count);
  std::vector<Function> functions;
  {
    const std::lock_guard lock(mutex_);
    functions.swap(posted_);
  }
  for (const Function& function : functions) function();
}

Result<int> EventLoop::Run() {
  const int got = sd_event_loop(event_);
  if (got < 0) return Error::FromErrno(-got, "run the event loop");
  return got;
}

void EventLoop::Exit(int code) { sd_event_exit(event_, code); }

}  // namespace crd::systemd
