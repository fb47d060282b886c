#pragma once

#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include <daemon/criu/criu_rpc.pb.h>
#include <sys/types.h>

#include "daemon/base/cancel.h"
#include "daemon/base/clock.h"
#include "daemon/base/result.h"
#include "daemon/criu/connection.h"
#include "daemon/criu/patience.h"

namespace crd::criu {

enum class Action { kDump, kRestore };

// What CRIU asks during an action, by CRIU's names, and what it sends along; an error is the
// caller's objection.
struct Notification {
  std::string script;
  pid_t pid = 0;
  std::vector<UniqueFd> descriptors;
};
using NotifyFunction = std::function<Result<void>(Notification)>;

// How an action came to its end. CRIU itself has ended.
struct SessionEnd {
  // CRIU's last word; empty when it ended without one.
  std::optional<criu_rpc::criu_resp> answer;
  // Why it was told to stop: the caller's objection, a cancellation or the deadline.
  std::optional<Error> stopped;
  // What it sent that was no answer, or why it could not be asked.
  std::string nonsense;
  Ending ending;
  std::string complaints;  // on stderr
};

// One DUMP or RESTORE, from the request to the end of the CRIU process. Straight-line; belongs to
// the thread that runs it.
//
// A dump that has to stop is told so at its next notification, so that it resumes the tree; it is
// killed when none comes in time, or the deadline has passed. A restore is killed at once unless a
// notification waits: its caller removes what it made. Once the last veto was passed neither a
// cancellation nor the deadline counts.
class Session {
 public:
  Session(Action action, Connection connection, NotifyFunction notify, Deadline deadline,
          const CancelToken& cancel, const Patience& patience)
      : action_(action),
        connection_(std::move(connection)),
        notify_(std::move(notify)),
        deadline_(deadline),
        cancel_(cancel),
        patience_(patience),
        until_(deadline) {}

  SessionEnd Run(const criu_rpc::criu_opts& options);

 private:
  bool Step();  // false when CRIU has to end
  bool Take(Incoming incoming);
  [[nodiscard]] Result<void> Decide(Notification notification);
  [[nodiscard]] Result<void> MayGoOn() const;
  bool Reply(const criu_rpc::criu_req& request);
  void Stop(Error why, std::chrono::milliseconds grace);
  bool OnCancelled();
  bool OnTimeout();
  [[nodiscard]] Error Cancelled() const;
  [[nodiscard]] Error TooLate() const;
  [[nodiscard]] const char* Noun() const;

  const Action action_;
  Connection connection_;
  const NotifyFunction notify_;
  const Deadline deadline_;
  const CancelToken& cancel_;
  const Patience patience_;
  Deadline until_;          // when to kill CRIU
  bool committed_ = false;  // the last veto was passed
  SessionEnd end_;
};

}  // namespace crd::criu
