#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

#include "daemon/base/result.h"

namespace crd::client {

// "500ms", "30s", "2m", "1h30m": whole numbers with units (us, ms, s, m, h), biggest first. Zero,
// numbers without a unit and more than a year are refused.
Result<std::chrono::microseconds> ParseDuration(std::string_view text);

// For people, about three digits: "850 us", "12.3 ms", "4.20 s", "2m05s", "1h02m", "3d04h".
std::string FormatDuration(std::uint64_t micros);

}  // namespace crd::client
