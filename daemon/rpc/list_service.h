#pragma once

#include <api/v1/services.grpc.pb.h>

#include "daemon/core/engine.h"
#include "daemon/rpc/call_log.h"

namespace crd::rpc {

class ListService final : public v1::ListService::Service {
 public:
  ListService(Engine& engine, const CallLog& calls) : engine_(engine), calls_(calls) {}

  grpc::Status ListCheckpoints(grpc::ServerContext* context, const v1::ListRequest* request,
                               v1::ListCheckpointsResponse* response) override;
  grpc::Status GetCheckpoint(grpc::ServerContext* context, const v1::GetRequest* request,
                             v1::Checkpoint* response) override;
  grpc::Status ListContainers(grpc::ServerContext* context, const v1::ListRequest* request,
                              v1::ListContainersResponse* response) override;
  grpc::Status GetContainer(grpc::ServerContext* context, const v1::GetRequest* request,
                            v1::Container* response) override;
  grpc::Status ListOperations(grpc::ServerContext* context, const v1::ListRequest* request,
                              v1::ListOperationsResponse* response) override;
  grpc::Status GetOperation(grpc::ServerContext* context, const v1::GetRequest* request,
                            v1::Operation* response) override;
  grpc::Status ListRuntimeContainers(grpc::ServerContext* context,
                                     const v1::ListRuntimeContainersRequest* request,
                                     v1::ListRuntimeContainersResponse* response) override;
  // Sends the headers first: from then on nothing escapes who watches "from now".
  grpc::Status Watch(grpc::ServerContext* context, const v1::WatchRequest* request,
                     grpc::ServerWriter<v1::Event>* writer) override;

 private:
  Engine& engine_;
  const CallLog& calls_;
};

}  // namespace crd::rpc
