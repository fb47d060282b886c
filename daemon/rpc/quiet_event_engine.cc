#include "daemon/rpc/quiet_event_engine.h"

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <map>
#include <mutex>
#include <utility>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

namespace crd::rpc {

using Steady = std::chrono::steady_clock;

struct QuietEventEngine::Work {
  // By time and then by number, so that functions of one time run in the order of their coming.
  using Key = std::pair<Steady::time_point, std::intptr_t>;

  void Loop();

  std::mutex mutex;
  std::condition_variable changed;
  // All guarded by the mutex:
  std::map<Key, absl::AnyInvocable<void()>> functions;
  std::map<std::intptr_t, Steady::time_point> times;  // leads a handle to its key
  std::intptr_t last_number = 0;
  bool stopping = false;
  std::thread thread;
};

void QuietEventEngine::Work::Loop() {
  std::unique_lock lock(mutex);
  for (;;) {
    if (functions.empty()) {
      if (stopping) return;
      changed.wait(lock);
      continue;
    }
    const auto first = functions.begin();
    const auto [time, number] = first->first;
    if (time > Steady::now()) {
      if (stopping) return;
      changed.wait_until(lock, time);
      continue;
    }
    {
      auto function = std::move(first->second);
      functions.erase(first);
      times.erase(number);
      lock.unlock();
      function();
    }
    lock.lock();
  }
}

QuietEventEngine::QuietEventEngine() : work_(std::make_shared<Work>()) {}

QuietEventEngine::~QuietEventEngine() {
  std::thread thread;
  {
    const std::lock_guard lock(work_->mutex);
    work_->stopping = true;
    thread = std::move(work_->thread);
  }
  work_->changed.notify_one();
  if (thread.get_id() == std::this_thread::get_id()) {
    thread.detach();
  } else if (thread.joinable()) {
    thread.join();
  }
}

QuietEventEngine::TaskHandle QuietEventEngine::Add(Duration delay,
                                                   absl::AnyInvocable<void()> function) {
  const std::lock_guard lock(work_->mutex);
  const std::intptr_t number = ++work_->last_number;
  const auto time = Steady::now() + std::chrono::duration_cast<Steady::duration>(delay);
  work_->functions.emplace(Work::Key{time, number}, std::move(function));
  work_->times.emplace(number, time);
  if (!work_->thread.joinable()) work_->thread = std::thread([work = work_] { work->Loop(); });
  work_->changed.notify_one();
  return TaskHandle{.keys = {number, 0}};
}

void QuietEventEngine::Run(Closure* closure) {
  Add(Duration::zero(), [closure] { closure->Run(); });
}

void QuietEventEngine::Run(absl::AnyInvocable<void()> closure) {
  Add(Duration::zero(), std::move(closure));
}

QuietEventEngine::TaskHandle QuietEventEngine::RunAfter(Duration when, Closure* closure) {
  return Add(when, [closure] { closure->Run(); });
}

QuietEventEngine::TaskHandle QuietEventEngine::RunAfter(Duration when,
                                                        absl::AnyInvocable<void()> closure) {
  return Add(when, std::move(closure));
}

bool QuietEventEngine::Cancel(TaskHandle handle) {
  absl::AnyInvocable<void()> dropped;  // destroyed outside the lock: it may own anything
  const std::lock_guard lock(work_->mutex);
  const auto time = work_->times.find(handle.keys[0]);
  if (time == work_->times.end()) return false;
  const auto at = work_->functions.find(Work::Key{time->second, time->first});
  dropped = std::move(at->second);
  work_->functions.erase(at);
  work_->times.erase(time);
  return true;
}

bool QuietEventEngine::IsWorkerThread() {
  const std::lock_guard lock(work_->mutex);
  return work_->thread.get_id() == std::this_thread::get_id();
}

absl::StatusOr<std::unique_ptr<QuietEventEngine::Listener>> QuietEventEngine::CreateListener(
    Listener::AcceptCallback /*on_accept*/, absl::AnyInvocable<void(absl::Status)> /*on_shutdown*/,
    const grpc_event_engine::experimental::EndpointConfig& /*config*/,
    std::unique_ptr<grpc_event_engine::experimental::MemoryAllocatorFactory>
    /*memory_allocator_factory*/) {
  return absl::UnimplementedError("connections are accepted elsewhere");
}

QuietEventEngine::ConnectionHandle QuietEventEngine::Connect(
    OnConnectCallback on_connect, const ResolvedAddress& /*address*/,
    const grpc_event_engine::experimental::EndpointConfig& /*config*/,
    grpc_event_engine::experimental::MemoryAllocator /*memory_allocator*/, Duration /*timeout*/) {
  Run([on_connect = std::move(on_connect)]() mutable {
    on_connect(absl::UnimplementedError("a server does not connect"));
  });
  return ConnectionHandle{.keys = {0, 0}};
}

bool QuietEventEngine::CancelConnect(ConnectionHandle /*handle*/) { return false; }

std::unique_ptr<QuietEventEngine::DNSResolver> QuietEventEngine::GetDNSResolver(
    const DNSResolver::ResolverOptions& /*options*/) {
  return nullptr;
}

}  // namespace crd::rpc
