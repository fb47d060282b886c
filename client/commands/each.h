#pragma once

#include <functional>
#include <string>
#include <vector>

#include "client/errors.h"
#include "client/exit_codes.h"
#include "client/session.h"

namespace crd::client {

// Does the same to each of several objects. What fails is told, and the others are done still; the
// exit status is that of the first failure. Without a daemon there is no use in going on.
inline Result<int> ForEach(Session& session, const std::vector<std::string>& keys,
                           const std::function<Result<void>(const std::string&)>& action) {
  int status = kDone;
  for (const std::string& key : keys) {
    const Result<void> done = action(key);
    if (done.ok()) continue;
    if (ExitCode(done.error()) == kNoDaemon) return done.error();
    session.err().Write(Render(done.error()));
    status = kFailed;
  }
  return status;
}

// Whether the last call, which was to do away with something, did so when it was asked before: crd
// keeps no outcomes of such calls.
inline bool GoneBefore(const Session& session, const Error& error) {
  return session.repeated() && error.code == Code::kNotFound;
}

}  // namespace crd::client
