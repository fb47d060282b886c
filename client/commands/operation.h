#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include <api/v1/services.grpc.pb.h>

#include "client/cancellation.h"
#include "client/progress.h"
#include "client/session.h"
#include "daemon/base/result.h"

namespace crd::client {

// Signals that ask to give up an operation. The first cancels the call; another one, what is still
// waited for then.
class Interruption {
 public:
  // Any thread.
  void Raise(int signal);
  // The first that came; 0 if none did.
  [[nodiscard]] int signal() const { return signal_.load(); }
  Cancellation& call() { return call_; }
  Cancellation& aftermath() { return aftermath_; }

 private:
  std::atomic<int> signal_ = 0;
  Cancellation call_;
  Cancellation aftermath_;
};

// The outcome of an operation whose call was interrupted, asked for by its request id until it has
// ended: cancelling comes too late once the images are committed or the tree runs. If it was
// undone, the error says so, and the session knows the signal.
Result<v1::Operation> AwaitOutcome(Session& session, Interruption& interruption,
                                   const std::string& request_id);

// How one kind of operation differs from the others. `Step` is a message of its stream.
template <typename Step, typename Final>
struct OperationKind {
  // What the operation made; null in a step that only tells of progress.
  std::function<const Final*(const Step&)> final_of;
  // What an operation that succeeded has made, when nobody could take the answer.
  std::function<Result<Final>(Session&, const v1::Operation&)> fetch;
};

// What a call is given beyond the time that the operation has, so that crd's own words about a
// timeout arrive.
inline constexpr std::chrono::seconds kGrace{30};

// Asks for an operation, shows how it goes on, and gives what it made. A crd that restarts in the
// middle is asked again with the same request id: it knows how the operation ended.
template <typename Final, typename Stub, typename Request, typename Step>
Result<Final> RunOperation(
    Session& session, Interruption& interruption, Progress::Show show,
    std::unique_ptr<grpc::ClientReader<Step>> (Stub::*method)(grpc::ClientContext*, const Request&),
    const Request& request, const OperationKind<Step, Final>& kind) {
  CallOptions options{.repeat = true, .cancellation = &interruption.call()};
  const auto timeout = session.settings().timeout;
  if (timeout.count() != 0) options.timeout = timeout + kGrace;
  std::optional<Final> made;
  const Result<void> called = [&] {
    Progress progress(session.err(), show);
    const std::function<bool(const Step&)> take = [&](const Step& step) {
      if (step.has_progress()) progress.Update(step.progress());
      if (const Final* final = kind.final_of(step)) made = *final;
      return true;
    };
    return session.Stream(method, request, take, options);
  }();
  if (made) return *std::move(made);
  if (interruption.signal() != 0) {
    return kind.fetch(session, TRY(AwaitOutcome(session, interruption, request.request_id())));
  }
  TRY(called);
  return Error::Internal("crd ended the call without a result");
}

}  // namespace crd::client
