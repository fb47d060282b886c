#include "client/duration.h"

#include <array>
#include <charconv>

namespace crd::client {
namespace {

struct Unit {
  std::string_view name;
  std::int64_t micros;
};
constexpr std::int64_t kSecond = 1'000'000;
// Biggest first.
constexpr std::array kUnits = {Unit{"h", 3600 * kSecond}, Unit{"m", 60 * kSecond},
                               Unit{"s", kSecond}, Unit{"ms", 1000}, Unit{"us", 1}};
constexpr std::int64_t kLongest = kSecond * 3600 * 24 * 366;

Error NoDuration(std::string_view text, std::string_view why) {
  return {.code = Code::kInvalidArgument,
          .message = fmt::format("'{}' is no duration: {}", text, why),
          .hint = "say 500ms, 30s, 2m or 1h30m"};
}

}  // namespace

Result<std::chrono::microseconds> ParseDuration(std::string_view text) {
  std::string_view rest = text;
  std::int64_t total = 0;
  const Unit* last = nullptr;
  while (!rest.empty()) {
    std::int64_t number = 0;
    const auto [end, problem] = std::from_chars(rest.data(), rest.data() + rest.size(), number);
    if (rest.front() == '-' || problem == std::errc::invalid_argument) {
      return NoDuration(text, "it needs a number");
    }
    rest.remove_prefix(static_cast<std::size_t>(end - rest.data()));
    const std::string_view name = rest.substr(0, rest.find_first_of("0123456789"));
    const Unit* unit = nullptr;
    for (const Unit& known : kUnits) {
      if (known.name == name) unit = &known;
    }
    if (unit == nullptr) return NoDuration(text, "it needs a unit");
    if (last != nullptr && unit->micros >= last->micros) {
      return NoDuration(text, "bigger units come first, each once");
    }
    if (problem == std::errc::result_out_of_range || number > (kLongest - total) / unit->micros) {
      return NoDuration(text, "it is longer than a year");
    }
    total += number * unit->micros;
    last = unit;
    rest.remove_prefix(name.size());
  }
  if (total == 0) return NoDuration(text, "it is nothing");
  return std::chrono::microseconds(total);
}

std::string FormatDuration(std::uint64_t micros) {
  if (micros < 1000) return fmt::format("{} us", micros);
  const double seconds = static_cast<double>(micros) / static_cast<double>(kSecond);
  if (micros < 99'950) return fmt::format("{:.1f} ms", seconds * 1000);
  if (micros < 999'500) return fmt::format("{:.0f} ms", seconds * 1000);
  if (micros < 9'995'000) return fmt::format("{:.2f} s", seconds);
  if (micros < 59'950'000) return fmt::format("{:.1f} s", seconds);
  const std::uint64_t whole = (micros + 500'000) / 1'000'000;
  if (whole < 3600) return fmt::format("{}m{:02}s", whole / 60, whole % 60);
  if (whole < 24 * 3600UL) return fmt::format("{}h{:02}m", whole / 3600, whole / 60 % 60);
  return fmt::format("{}d{:02}h", whole / (24 * 3600UL), whole / 3600 % 24);
}

}  // namespace crd::client
