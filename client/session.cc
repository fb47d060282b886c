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

// How long a crd that went away in the middle of a call is waited for: an upgrade takes less.
constexpr std::chrono::seconds kPatience{5};
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

}  // namespace

Result<void> Session::Run(const Attempt& attempt, const CallOptions& options) {
  CallDeadline deadline;
  if (options.timeout.count() != 0) deadline = system_clock::now() + options.timeout;
  // A crd that was not there to begin with is not waited for.
  TRY(EnsureConnected(deadline));

  repeated_ = false;
  Deadline give_up = SteadyClock::now() + kPatience;
  milliseconds pause = kFirstPause;
  while (true) {
    const auto begun = SteadyClock::now();
    Result<void> done = RunOnce(attempt, deadline, options.cancellation);
    if (done.ok() || done.error().code != Code::kUnavailable) return done;
    channel_.reset();
    const auto now = SteadyClock::now();
    // It went well for a long time, so this is the first failure of a new kind.
    if (now - begun > kPatience) {
      give_up = now + kPatience;
      pause = kFirstPause;
    }
    const bool cancelled = options.cancellation != nullptr && options.cancellation->cancelled();
    const bool too_late = now + pause > give_up || (deadline && system_clock::now() > *deadline);
    if (!options.repeat || cancelled || too_late) return done;
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
  if (!status.ok()) return FromStatus(status);
  return {};
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
