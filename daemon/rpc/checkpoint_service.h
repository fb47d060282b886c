#pragma once

#include <api/v1/services.grpc.pb.h>

#include "daemon/core/engine.h"
#include "daemon/rpc/call_log.h"

namespace crd::rpc {

// Parses, calls the engine, renders. All services: thread-safe; what is handed in outlives them.
class CheckpointService final : public v1::CheckpointService::Service {
 public:
  CheckpointService(Engine& engine, const CallLog& calls) : engine_(engine), calls_(calls) {}

  grpc::Status Checkpoint(grpc::ServerContext* context, const v1::CheckpointRequest* request,
                          grpc::ServerWriter<v1::CheckpointResponse>* writer) override;
  grpc::Status Check(grpc::ServerContext* context, const v1::CheckRequest* request,
                     v1::CheckResponse* response) override;

 private:
  Engine& engine_;
  const CallLog& calls_;
};

}  // namespace crd::rpc
