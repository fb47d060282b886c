#include "client/session.h"

#include <algorithm>
#include <thread>

#include "client/connection.h"
#include "client/errors.h"
#include "daemon/base/clock.h"

namespace crd::client {
namespace {

using std::chrono::milliseconds;
using std::chrono::system_clock;

// A call that went on for so long was in good hands: what ends it is a new outage.
constexpr std::chrono::seconds kSettled{2};
// Nobody needs to hear of an outage that is shorter.
constexpr std::chrono::seconds kUntilTold{2};
constexpr milliseconds kFirstPause{50};
constexpr milliseconds kLongestPause{1000};
constexpr std::chrono::seconds kConnectPatience{10};

void Pause(Cancellation* cancellation, milliseconds length) {
  if (cancellation != nullptr) {
    cancellation->Pause(length);
  } else {
    std::this_thread::sleep_for(length);
  }
}

// gRPC 1.51 ends with CANCELLED, and without a word, the calls that a server has taken in but given
// to no handler when it shuts down. What a handler says has details.
bool TurnedAway(const grpc::Status& status) {
  return status.error_code() == grpc::StatusCode::CANCELLED && status.error_details().empty();
}

}  // namespace

Result<void> Session::Run(const Attempt& attempt, const CallOptions& options) {
  CallDeadline deadline;
  if (options.timeout.count() != 0) deadline = system_clock::now() + options.timeout;
  // A crd that was not there to begin with is not waited for.
  TRY(EnsureConnected(deadline));

  repeated_ = false;
  std::optional<Deadline> outage;  // when it began
  bool told = false;
  milliseconds pause = kFirstPause;
  while (true) {
    const auto begun = SteadyClock::now();
    Result<void> done = RunOnce(attempt, deadline, options.cancellation);
    if (done.ok() || done.error().code != Code::kUnavailable) return done;
    channel_.reset();
    const auto now = SteadyClock::now();
    if (!outage || now - begun > kSettled) {
      outage = now;
      told = false;
      pause = kFirstPause;
    }
    const bool cancelled = options.cancellation != nullptr && options.cancellation->cancelled();
    const bool too_late =
        now + pause > *outage + options.patience || (deadline && system_clock::now() > *deadline);
    if (!options.repeat || cancelled || too_late) return done;
    if (!told && now - *outage >= kUntilTold) {
      TellOfOutage(options.patience);
      told = true;
    }
    Pause(options.cancellation, pause);
    repeated_ = true;
    pause = std::min(2 * pause, kLongestPause);
  }
}

Result<void> Session::RunOnce(const Attempt& attempt, const CallDeadline& deadline,
                              Cancellation* cancellation) {
  TRY(EnsureConnected(deadline));
  grpc::ClientContext context;
  if (deadline) context.set_deadline(*deadline);
  const Cancellation::Call call(cancellation, context);
  const grpc::Status status = attempt(channel_, context);
  if (status.ok()) return {};
  const bool given_up = cancellation != nullptr && cancellation->cancelled();
  if (!given_up && TurnedAway(status)) {
    return FromStatus({grpc::StatusCode::UNAVAILABLE, "it is stopping"});
  }
  return FromStatus(status);
}

void Session::TellOfOutage(std::chrono::seconds patience) {
  err_.Line(fmt::format(
      "crctl: crd has gone; waiting for it to come back, for {} s at most (Ctrl-C gives up)",
      patience.count()));
}

Result<void> Session::EnsureConnected(const CallDeadline& deadline) {
  if (channel_ != nullptr) return {};
  std::chrono::microseconds patience = kConnectPatience;
  if (deadline) {
    const auto left = std::chrono::ceil<std::chrono::microseconds>(*deadline - system_clock::now());
    patience = std::clamp(left, std::chrono::microseconds(1), patience);
  }
  channel_ = TRY(Connect(settings_.socket, patience));
  return {};
}

}  // namespace crd::client
