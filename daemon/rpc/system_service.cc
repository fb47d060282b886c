#include "daemon/rpc/system_service.h"

#include "daemon/rpc/convert.h"

namespace crd::rpc {

grpc::Status SystemService::Info(grpc::ServerContext* context, const v1::InfoRequest* /*request*/,
                                 v1::InfoResponse* response) {
  return calls_.Query(*context, "SystemService.Info", [&]() -> Result<void> {
    *response = ToProto(TRY(engine_.Info()));
    return {};
  });
}

}  // namespace crd::rpc
