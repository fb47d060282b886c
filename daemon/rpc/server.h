#pragma once

#include <cstddef>
#include <memory>
#include <vector>

#include <grpcpp/server.h>

#include "daemon/base/clock.h"
#include "daemon/base/result.h"
#include "daemon/base/unique_fd.h"
#include "daemon/rpc/health_service.h"
#include "daemon/rpc/peer.h"

namespace crd::rpc {

struct ServerOptions {
  std::size_t max_connections = 1024;
  int max_streams = 128;            // at once on one connection; more wait at the client
  int max_threads = 256;            // of all calls; one more is refused with RESOURCE_EXHAUSTED
  int max_request_bytes = 1 << 20;  // a larger one is refused with RESOURCE_EXHAUSTED
  // Sleep while nobody asks (quiet_grpc.h). Only where this process is not a gRPC client too.
  bool quiet = false;
};

// The gRPC server. It has no ports: connections are given to it, each with its peer.
//
// Services are of the synchronous API: a handler has a thread for as long as it takes, and learns
// by polling ServerContext::IsCancelled() that its client has gone. The callback API is not used:
// in gRPC 1.51 it is polled by threads of its own that wake up about twice a second each, call or
// no call (CallbackAlternativeCQ); and calls that last are few here, so they may have threads.
class Server {
 public:
  // `services` and `peers` must outlive the server. Adds the health and reflection services. Fails
  // when gRPC refuses, with a line in its own log.
  [[nodiscard]] static Result<std::unique_ptr<Server>> Start(
      const ServerOptions& options, PeerTable& peers, const std::vector<grpc::Service*>& services);
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;
  Server(Server&&) = delete;
  Server& operator=(Server&&) = delete;
  // As Shutdown() with a deadline that has passed.
  ~Server();

  // Serves a connected, non-blocking socket. Belongs to the thread that the peer table belongs to.
  // Fails with kResourceExhausted where there are too many; the socket is closed then.
  [[nodiscard]] Result<void> AddConnection(UniqueFd socket, Peer peer);

  // What the health service answers; false at first. Any thread may call it.
  void SetServing(bool serving) { health_.SetServing(serving); }

  // Takes no new calls, lets those in progress end until the deadline, then cancels them and waits:
  // for ever for a handler that does not look at IsCancelled(). Any thread may call it, but no
  // handler; a second call does nothing.
  void Shutdown(Deadline deadline);

 private:
  Server(const ServerOptions& options, PeerTable& peers) : options_(options), peers_(peers) {}

  const ServerOptions options_;
  PeerTable& peers_;
  HealthService health_;
  std::unique_ptr<grpc::Server> server_;
};

}  // namespace crd::rpc
