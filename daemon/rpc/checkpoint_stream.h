#pragma once

#include "daemon/core/engine.h"
#include "daemon/rpc/convert.h"
#include "daemon/rpc/operation_stream.h"

namespace crd::rpc {

// Streams an operation that makes a checkpoint, as StreamOperation() does; the last message has the
// checkpoint.
template <typename Response>
Result<void> StreamCheckpoint(Engine& engine, Operation& operation,
                              const grpc::ServerContext& context,
                              grpc::ServerWriter<Response>& writer) {
  const OperationRecord ended = TRY(StreamOperation(operation, context, writer));
  const CheckpointRecord made = TRY(engine.inventory().FindCheckpoint(ended.checkpoint_id.str()));
  Response last;
  *last.mutable_checkpoint() = ToProto(made, engine.CheckpointDirectory(made.id));
  writer.WriteLast(last, grpc::WriteOptions());
  return {};
}

}  // namespace crd::rpc
