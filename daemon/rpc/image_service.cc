#include "daemon/rpc/image_service.h"

#include "daemon/rpc/checkpoint_stream.h"
#include "daemon/rpc/convert.h"
#include "daemon/rpc/parse.h"

namespace crd::rpc {

grpc::Status ImageService::Delete(grpc::ServerContext* context, const v1::DeleteRequest* request,
                                  v1::DeleteResponse* response) {
  return calls_.Change(*context, "ImageService.Delete", [&]() -> Result<void> {
    const std::string key = TRY(ParseKey("checkpoint", request->checkpoint()));
    TRY(ParseRequestId(request->request_id()));
    response->set_id(TRY(engine_.DeleteCheckpoint(key)).str());
    return {};
  });
}

grpc::Status ImageService::Verify(grpc::ServerContext* context, const v1::VerifyRequest* request,
                                  v1::VerifyResponse* response) {
  return calls_.Change(*context, "ImageService.Verify", [&]() -> Result<void> {
    const std::string key = TRY(ParseKey("checkpoint", request->checkpoint()));
    const Engine::Verified verified = TRY(engine_.VerifyCheckpoint(key));
    const std::string directory = engine_.CheckpointDirectory(verified.checkpoint.id);
    *response->mutable_checkpoint() = ToProto(verified.checkpoint, directory);
    for (const Damage& damage : verified.damages) *response->add_damages() = ToProto(damage);
    return {};
  });
}

grpc::Status ImageService::ImportImages(grpc::ServerContext* context,
                                        const v1::ImportImagesRequest* request,
                                        grpc::ServerWriter<v1::ImportImagesResponse>* writer) {
  return calls_.Change(*context, "ImageService.ImportImages", [&]() -> Result<void> {
    const ImportRequest asked = TRY(Parse(*request));
    const auto operation = TRY(engine_.StartImport(asked));
    return StreamCheckpoint(engine_, *operation, *context, *writer);
  });
}

}  // namespace crd::rpc
