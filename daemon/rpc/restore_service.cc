#include "daemon/rpc/restore_service.h"

#include "daemon/core/errors.h"
#include "daemon/rpc/caller_descriptors.h"
#include "daemon/rpc/convert.h"
#include "daemon/rpc/operation_stream.h"
#include "daemon/rpc/parse.h"

namespace crd::rpc {
namespace {

Result<Credentials> CredentialsOf(const Peer* peer, const std::string& path) {
  if (peer == nullptr) {
    return errors::LogUnusable(path, {.message = "nobody knows whose it would be"});
  }
  return Credentials{.uid = peer->uid, .gid = peer->gid, .groups = peer->groups};
}

}  // namespace

grpc::Status RestoreService::Restore(grpc::ServerContext* context,
                                     const v1::RestoreRequest* request,
                                     grpc::ServerWriter<v1::RestoreResponse>* writer) {
  return calls_.Change(*context, "RestoreService.Restore", [&]() -> Result<void> {
    RestoreRequest asked = TRY(Parse(*request));
    if (request->has_inherit()) {
      asked.stdio = TRY(TakeDescriptors(peers_.Lookup(context->peer()).get()));
    }
    if (auto* log = std::get_if<StdioToLog>(&asked.stdio); log != nullptr && !log->path.empty()) {
      log->caller = TRY(CredentialsOf(peers_.Lookup(context->peer()).get(), log->path));
    }
    if (const std::string& socket = asked.container.console_socket; !socket.empty()) {
      asked.container.caller = TRY(CredentialsOf(peers_.Lookup(context->peer()).get(), socket));
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
