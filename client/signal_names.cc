#include "client/signal_names.h"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <csignal>
#include <cstring>
#include <optional>

namespace crd::client {
namespace {

constexpr int kLastSignal = 64;

std::optional<int> ParseNumber(std::string_view text) {
  int number = 0;
  const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (problem != std::errc() || end != text.data() + text.size()) return {};
  return number;
}

std::optional<int> FindName(std::string name) {
  std::transform(name.begin(), name.end(), name.begin(),
                 [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
  if (name.rfind("SIG", 0) == 0) name.erase(0, 3);
  for (int signal = 1; signal <= kLastSignal; ++signal) {
    if (SignalName(signal) == name) return signal;
  }
  return {};
}

}  // namespace

Result<int> ParseSignal(std::string_view text) {
  std::optional<int> signal = ParseNumber(text);
  if (!signal) signal = FindName(std::string(text));
  if (!signal || *signal < 1 || *signal > kLastSignal) {
    return Error{.code = Code::kInvalidArgument,
                 .message = fmt::format("'{}' is no signal", text),
                 .hint = "say TERM, SIGTERM, or a number of 1 to 64"};
  }
  return *signal;
}

std::string SignalName(int signal) {
  const char* name = ::sigabbrev_np(signal);
  if (name != nullptr) return name;
  if (signal == SIGRTMIN) return "RTMIN";
  if (signal > SIGRTMIN && signal <= SIGRTMAX) return fmt::format("RTMIN+{}", signal - SIGRTMIN);
  return std::to_string(signal);
}

}  // namespace crd::client
