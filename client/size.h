#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "daemon/base/result.h"

namespace crd::client {

// "4096", "64K", "1M", "2GiB": bytes, in powers of 1024. Zero, fractions and decimal units ("MB")
// are refused.
Result<std::uint64_t> ParseSize(std::string_view text);

// For people: "0 B", "512 B", "1.5 KiB", "13.4 MiB", "128 MiB".
std::string FormatSize(std::uint64_t bytes);

}  // namespace crd::client
