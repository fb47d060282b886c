#pragma once

#include <atomic>

#include "daemon/rpc/health.grpc.pb.h"

namespace crd::rpc {

// The standard health service. gRPC's own one is of the callback API, which takes two threads that
// wake up about twice a second each in gRPC 1.51; this one costs nothing while nobody asks.
//
// Watch is not implemented, which clients have to take as "do not watch": with the synchronous API
// every watcher would hold a thread. Any thread may call any function.
class HealthService final : public grpc::health::v1::Health::Service {
 public:
  void SetServing(bool serving) { serving_ = serving; }

  // One answer for the server ("") and for every service that it knows; NOT_FOUND for others.
  grpc::Status Check(grpc::ServerContext* context,
                     const grpc::health::v1::HealthCheckRequest* request,
                     grpc::health::v1::HealthCheckResponse* response) override;

 private:
  std::atomic<bool> serving_ = false;
};

}  // namespace crd::rpc
