#pragma once

#include <api/v1/services.grpc.pb.h>

#include "daemon/core/engine.h"
#include "daemon/rpc/call_log.h"

namespace crd::rpc {

class SystemService final : public v1::SystemService::Service {
 public:
  SystemService(Engine& engine, const CallLog& calls) : engine_(engine), calls_(calls) {}

  grpc::Status Info(grpc::ServerContext* context, const v1::InfoRequest* request,
                    v1::InfoResponse* response) override;

 private:
  Engine& engine_;
  const CallLog& calls_;
};

}  // namespace crd::rpc
