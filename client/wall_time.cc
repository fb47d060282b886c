#include "client/wall_time.h"

#include <array>
#include <ctime>

namespace crd::client {

std::string FormatTime(WallMicros time) {
  if (time == 0) return "-";
  const auto seconds = static_cast<std::time_t>(time / 1'000'000);
  std::tm local{};
  if (::localtime_r(&seconds, &local) == nullptr) return "-";
  std::array<char, 32> text{};
  const std::size_t length = std::strftime(text.data(), text.size(), "%Y-%m-%d %H:%M:%S", &local);
  return {text.data(), length};
}

}  // namespace crd::client
