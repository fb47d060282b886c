#pragma once

#include <memory>

#include "client/commands/operation.h"
#include "client/exit_codes.h"
#include "client/json.h"
#include "client/signal_watch.h"
#include "daemon/base/ids.h"

namespace crd::client {

// Asks for an operation that makes a checkpoint and prints the checkpoint. `Step` is a message of
// the operation's stream; `request` needs neither a request id nor a timeout.
template <typename Stub, typename Request, typename Step>
Result<int> MakeCheckpoint(
    Session& session,
    std::unique_ptr<grpc::ClientReader<Step>> (Stub::*method)(grpc::ClientContext*, const Request&),
    Request request) {
  request.set_request_id(RandomHex16());
  request.set_timeout_us(session.settings().timeout.count());
  const OperationKind<Step, v1::Checkpoint> kind{
      .final_of =
          [](const Step& step) { return step.has_checkpoint() ? &step.checkpoint() : nullptr; },
      .fetch =
          [](Session& again, const v1::Operation& operation) {
            v1::GetRequest get;
            get.set_key(operation.checkpoint_id());
            return again.Call(&v1::ListService::Stub::GetCheckpoint, get, again.Limited());
          }};
  Interruption interruption;
  const SignalWatch watch([&](int signal) { interruption.Raise(signal); });
  const v1::Checkpoint made = TRY(RunOperation<v1::Checkpoint>(
      session, interruption, Progress::Show::kOnTerminal, method, request, kind));
  session.out().Line(session.settings().json ? ToJson(made) : made.id());
  return kDone;
}

}  // namespace crd::client
