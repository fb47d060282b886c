#include "daemon/rpc/checkpoint_service.h"

#include "daemon/rpc/checkpoint_stream.h"
#include "daemon/rpc/convert.h"
#include "daemon/rpc/parse.h"

namespace crd::rpc {

grpc::Status CheckpointService::Checkpoint(grpc::ServerContext* context,
                                           const v1::CheckpointRequest* request,
                                           grpc::ServerWriter<v1::CheckpointResponse>* writer) {
  return calls_.Change(*context, "CheckpointService.Checkpoint", [&]() -> Result<void> {
    const CheckpointRequest asked = TRY(Parse(*request));
    const auto operation = TRY(engine_.StartCheckpoint(asked));
    return StreamCheckpoint(engine_, *operation, *context, *writer);
  });
}

grpc::Status CheckpointService::Check(grpc::ServerContext* context, const v1::CheckRequest* request,
                                      v1::CheckResponse* response) {
  return calls_.Query(*context, "CheckpointService.Check", [&]() -> Result<void> {
    const CheckRequest asked = TRY(Parse(*request));
    for (const Obstacle& obstacle : TRY(engine_.Check(asked))) {
      *response->add_obstacles() = ToProto(obstacle);
    }
    return {};
  });
}

}  // namespace crd::rpc
