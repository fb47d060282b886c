#pragma once

#include <string>
#include <string_view>

#include "daemon/base/result.h"

namespace crd::client {

// "TERM", "SIGTERM", "term", "RTMIN+1" or a number of 1 to 64.
Result<int> ParseSignal(std::string_view text);

// "TERM", "RTMIN+1"; the number of what has no name.
std::string SignalName(int signal);

}  // namespace crd::client
