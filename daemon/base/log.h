#pragma once

#include <string>

#include <spdlog/spdlog.h>

#include "daemon/base/result.h"

namespace crd {

// Sends spdlog's default logger to stderr: with "<N>" priorities for the journal when stderr is
// connected to it, with times otherwise. Call once, before threads exist.
//
// Who may log an error: the RPC wrapper, the operation runner and the event loop. Everything below
// returns it instead.
Result<void> SetUpLog(const std::string& level);

}  // namespace crd
