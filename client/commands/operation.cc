#include "client/commands/operation.h"

#include <chrono>

#include "client/errors.h"
#include "client/signal_names.h"
#include "daemon/base/clock.h"

namespace crd::client {
namespace {

constexpr std::chrono::milliseconds kPoll{50};
constexpr std::chrono::seconds kAftermath{60};
// A request that was cancelled on its way may still be taken up for this long.
constexpr std::chrono::milliseconds kUntilBegun{500};

Result<std::optional<v1::Operation>> FindOperation(Session& session, Interruption& interruption,
                                                   const std::string& request_id) {
  v1::ListRequest request;
  request.set_all(true);
  const CallOptions options{
      .timeout = kAftermath, .repeat = true, .cancellation = &interruption.aftermath()};
  do {
    const v1::ListOperationsResponse page =
        TRY(session.Call(&v1::ListService::Stub::ListOperations, request, options));
    for (const v1::Operation& operation : page.operations()) {
      if (operation.request_id() == request_id) return std::optional(operation);
    }
    request.set_page_token(page.next_page_token());
  } while (!request.page_token().empty());
  return std::optional<v1::Operation>();
}

Error Interrupted(int signal, const std::string& outcome) {
  return {.code = Code::kCancelled,
          .message = fmt::format("interrupted by SIG{}: {}", SignalName(signal), outcome)};
}

}  // namespace

void Interruption::Raise(int signal) {
  int none = 0;
  if (signal_.compare_exchange_strong(none, signal)) {
    call_.Cancel();
  } else {
    aftermath_.Cancel();
  }
}

Result<v1::Operation> AwaitOutcome(Session& session, Interruption& interruption,
                                   const std::string& request_id) {
  session.set_interrupted_by(interruption.signal());
  session.err().Line("crctl: cancelling; waiting for crd to undo what it has begun");
  const Deadline begun = SteadyClock::now() + kUntilBegun;
  const Deadline end = SteadyClock::now() + kAftermath;
  while (!interruption.aftermath().cancelled() && SteadyClock::now() < end) {
    const auto found = FindOperation(session, interruption, request_id);
    if (!found.ok()) break;
    const std::optional<v1::Operation>& operation = *found;
    if (!operation && SteadyClock::now() > begun) {
      return Interrupted(interruption.signal(), "it had not begun; nothing has changed");
    }
    if (operation && operation->state() == v1::OPERATION_STATE_SUCCEEDED) {
      session.set_interrupted_by(0);
      session.err().Line("crctl: too late to cancel: it was done already");
      return *operation;
    }
    if (operation && operation->state() == v1::OPERATION_STATE_FAILED) {
      return Interrupted(interruption.signal(), operation->error().message());
    }
    interruption.aftermath().Pause(kPoll);
  }
  return Interrupted(interruption.signal(), "it is not known yet whether crd has undone everything")
      .WithHint("`crctl list --all` and `crctl ps` show what came of it");
}

}  // namespace crd::client
