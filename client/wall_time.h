#pragma once

#include <string>

#include "daemon/base/clock.h"

namespace crd::client {

// Local time to the second, "2026-08-01 12:00:05"; "-" for 0, which stands for "not yet".
std::string FormatTime(WallMicros time);

}  // namespace crd::client
