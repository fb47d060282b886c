#include "client/size.h"

#include <array>
#include <charconv>
#include <limits>

namespace crd::client {
namespace {

constexpr std::string_view kPrefixes = "KMGT";

Error NoSize(std::string_view text, std::string_view why) {
  return {.code = Code::kInvalidArgument,
          .message = fmt::format("'{}' is no size: {}", text, why),
          .hint = "say 65536, 64K, 1M or 2GiB"};
}

}  // namespace

Result<std::uint64_t> ParseSize(std::string_view text) {
  std::uint64_t number = 0;
  const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (problem == std::errc::invalid_argument) return NoSize(text, "it needs a whole number");
  std::string_view unit = text.substr(static_cast<std::size_t>(end - text.data()));
  unsigned shift = 0;
  if (!unit.empty() && kPrefixes.find(unit.front()) != std::string_view::npos) {
    shift = 10 * static_cast<unsigned>(kPrefixes.find(unit.front()) + 1);
    unit.remove_prefix(1);
    if (unit == "iB") unit = {};
  } else if (unit == "B") {
    unit = {};
  }
  if (!unit.empty()) return NoSize(text, "its unit is not known");
  if (problem == std::errc::result_out_of_range ||
      number > std::numeric_limits<std::uint64_t>::max() >> shift) {
    return NoSize(text, "it is too big");
  }
  if (number == 0) return NoSize(text, "it is nothing");
  return number << shift;
}

std::string FormatSize(std::uint64_t bytes) {
  constexpr std::array kUnits = {"KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
  if (bytes < 1024) return fmt::format("{} B", bytes);
  double value = static_cast<double>(bytes) / 1024;
  std::size_t unit = 0;
  // What would be printed as "1024" belongs to the next unit.
  while (value >= 1023.5 && unit + 1 < kUnits.size()) {
    value /= 1024;
    ++unit;
  }
  return value < 99.95 ? fmt::format("{:.1f} {}", value, kUnits[unit])
                       : fmt::format("{:.0f} {}", value, kUnits[unit]);
}

}  // namespace crd::client
