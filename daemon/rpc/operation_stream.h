#pragma once

#include <functional>

#include <api/v1/services.grpc.pb.h>
#include <grpcpp/server_context.h>
#include <grpcpp/support/sync_stream.h>

#include "daemon/base/result.h"
#include "daemon/core/operation.h"

namespace crd::rpc {

// Follows an operation, on the calling thread, until it has ended: its record if it succeeded, its
// error if it failed. It counts as watched meanwhile.
//
// `write` gets the progress: not before the operation is 100 ms old, at most every 50 ms, and only
// when there is something new. It says false when nobody takes it any more. `client_left` is asked
// every 50 ms. In both cases the operation is given up (Operation::DropWatcher), and the answer is
// ClientLeft().
Result<OperationRecord> FollowOperation(Operation& operation,
                                        const std::function<bool()>& client_left,
                                        const std::function<bool(const v1::Progress&)>& write);

// The same towards a client. `Response` has a field `progress`.
template <typename Response>
Result<OperationRecord> StreamOperation(Operation& operation, const grpc::ServerContext& context,
                                        grpc::ServerWriter<Response>& writer) {
  return FollowOperation(
      operation, [&] { return context.IsCancelled(); },
      [&](const v1::Progress& progress) {
        Response response;
        *response.mutable_progress() = progress;
        return writer.Write(response);
      });
}

}  // namespace crd::rpc
