#pragma once

#include <api/v1/services.grpc.pb.h>

#include "daemon/core/engine.h"
#include "daemon/rpc/call_log.h"

namespace crd::rpc {

class ImageService final : public v1::ImageService::Service {
 public:
  ImageService(Engine& engine, const CallLog& calls) : engine_(engine), calls_(calls) {}

  grpc::Status Delete(grpc::ServerContext* context, const v1::DeleteRequest* request,
                      v1::DeleteResponse* response) override;
  grpc::Status Verify(grpc::ServerContext* context, const v1::VerifyRequest* request,
                      v1::VerifyResponse* response) override;
  grpc::Status ImportImages(grpc::ServerContext* context, const v1::ImportImagesRequest* request,
                            grpc::ServerWriter<v1::ImportImagesResponse>* writer) override;

 private:
  Engine& engine_;
  const CallLog& calls_;
};

}  // namespace crd::rpc
