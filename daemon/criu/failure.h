#pragma once

#include <string_view>

#include "daemon/base/error.h"
#include "daemon/criu/session.h"

namespace crd::criu {

// Why an action failed, from how its session ended and what CRIU logged. Pure. `attempt` is what
// was tried, on what: "dump process 12".
Error ExplainFailure(const SessionEnd& end, std::string_view log, std::string_view attempt);

}  // namespace crd::criu
