#pragma once

#include <memory>
#include <thread>

#include <grpc/event_engine/event_engine.h>

namespace crd::rpc {

// What a server of gRPC 1.51 uses of an event engine: it runs functions, now or later, on one
// thread of its own that is started for the first of them and sleeps while there is nothing to do.
// Sockets and names are not its business: the server polls by other means, and all connections are
// given to it. Any thread may call any function; those that it runs must not block.
class QuietEventEngine final : public grpc_event_engine::experimental::EventEngine {
 public:
  QuietEventEngine();
  QuietEventEngine(const QuietEventEngine&) = delete;
  QuietEventEngine& operator=(const QuietEventEngine&) = delete;
  QuietEventEngine(QuietEventEngine&&) = delete;
  QuietEventEngine& operator=(QuietEventEngine&&) = delete;
  // Runs what is to run now, and drops what is to run later.
  ~QuietEventEngine() override;

  void Run(Closure* closure) override;
  void Run(absl::AnyInvocable<void()> closure) override;
  TaskHandle RunAfter(Duration when, Closure* closure) override;
  TaskHandle RunAfter(Duration when, absl::AnyInvocable<void()> closure) override;
  bool Cancel(TaskHandle handle) override;
  bool IsWorkerThread() override;

  // Never used by a server; each of these fails.
  absl::StatusOr<std::unique_ptr<Listener>> CreateListener(
      Listener::AcceptCallback on_accept, absl::AnyInvocable<void(absl::Status)> on_shutdown,
      const grpc_event_engine::experimental::EndpointConfig& config,
      std::unique_ptr<grpc_event_engine::experimental::MemoryAllocatorFactory>
          memory_allocator_factory) override;
  ConnectionHandle Connect(OnConnectCallback on_connect, const ResolvedAddress& address,
                           const grpc_event_engine::experimental::EndpointConfig& config,
                           grpc_event_engine::experimental::MemoryAllocator memory_allocator,
                           Duration timeout) override;
  bool CancelConnect(ConnectionHandle handle) override;
  std::unique_ptr<DNSResolver> GetDNSResolver(const DNSResolver::ResolverOptions& options) override;

 private:
  struct Work;
  TaskHandle Add(Duration delay, absl::AnyInvocable<void()> function);

  // Shared with the thread, which outlives the engine when a function that it runs drops the last
  // reference to the engine.
  const std::shared_ptr<Work> work_;
};

}  // namespace crd::rpc
