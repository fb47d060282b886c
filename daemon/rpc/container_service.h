#pragma once

#include <api/v1/services.grpc.pb.h>

#include "daemon/core/engine.h"
#include "daemon/rpc/call_log.h"

namespace crd::rpc {

class ContainerService final : public v1::ContainerService::Service {
 public:
  ContainerService(Engine& engine, const CallLog& calls) : engine_(engine), calls_(calls) {}

  grpc::Status Wait(grpc::ServerContext* context, const v1::WaitRequest* request,
                    v1::Container* response) override;
  grpc::Status Signal(grpc::ServerContext* context, const v1::SignalRequest* request,
                      v1::SignalResponse* response) override;
  grpc::Status Forget(grpc::ServerContext* context, const v1::ForgetRequest* request,
                      v1::ForgetResponse* response) override;

 private:
  Engine& engine_;
  const CallLog& calls_;
};

}  // namespace crd::rpc
