#include "daemon/rpc/health_service.h"

#include <google/protobuf/descriptor.h>

namespace crd::rpc {

using grpc::health::v1::HealthCheckRequest;
using grpc::health::v1::HealthCheckResponse;

grpc::Status HealthService::Check(grpc::ServerContext* /*context*/,
                                  const HealthCheckRequest* request,
                                  HealthCheckResponse* response) {
  const auto* const pool = google::protobuf::DescriptorPool::generated_pool();
  if (!request->service().empty() && pool->FindServiceByName(request->service()) == nullptr) {
    return {grpc::StatusCode::NOT_FOUND, "unknown service"};
  }
  response->set_status(serving_ ? HealthCheckResponse::SERVING : HealthCheckResponse::NOT_SERVING);
  return grpc::Status::OK;
}

}  // namespace crd::rpc
