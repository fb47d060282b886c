#include "daemon/rpc/restore_service.h"

#include "daemon/rpc/caller_descriptors.h"
#include "daemon/rpc/convert.h"
#include "daemon/rpc/operation_stream.h"
#include "daemon/rpc/parse.h"

namespace crd::rpc {

grpc::Status RestoreService::Restore(grpc::ServerContext* context,
                                     const v1::RestoreRequest* request,
                                     grpc::ServerWriter<v1::RestoreResponse>* writer) {
  return calls_.Change(*context, "RestoreService.Restore", [&]() -> Result<void> {
    RestoreRequest asked = TRY(Parse(*request));
    if (request->has_inherit()) {
      asked.stdio = TRY(TakeDescriptors(peers_.Lookup(context->peer()).get()));
    }
    const auto operation = TRY(engine_.StartRestore(asked));
    const OperationRecord ended = TRY(StreamOperation(*operation, *context, *writer));
    v1::RestoreResponse last;
    *last.mutable_container() =
        ToProto(TRY(engine_.inventory().FindContainer(ended.container_id.str())));
    writer->WriteLast(last, grpc::WriteOptions());
    return {};
  });
}

}  // namespace crd::rpc
