#pragma once

#include <chrono>
#include <cstdint>

namespace crd {

// Microseconds since the epoch, as stored and as sent on the wire. For people to read; never for
// measuring or for deadlines.
using WallMicros = std::int64_t;

using SteadyClock = std::chrono::steady_clock;
using Deadline = SteadyClock::time_point;
inline constexpr Deadline kNoDeadline = Deadline::max();

// Tells the time. Any thread may call it; it cannot fail. Tests advance a FakeClock by hand.
class Clock {
 public:
  virtual ~Clock() = default;
  [[nodiscard]] virtual WallMicros Wall() const = 0;
};

class SystemClock final : public Clock {
 public:
  [[nodiscard]] WallMicros Wall() const override {
    const auto now = std::chrono::system_clock::now().time_since_epoch();
    return std::chrono::duration_cast<std::chrono::microseconds>(now).count();
  }
};

// Microseconds from `since` until now, on the steady clock.
inline std::int64_t MicrosSince(SteadyClock::time_point since) {
  return std::chrono::duration_cast<std::chrono::microseconds>(SteadyClock::now() - since).count();
}

// What poll(2) takes: milliseconds left, rounded up, 0 when passed, -1 for "no deadline".
inline int PollTimeout(Deadline deadline) {
  if (deadline == kNoDeadline) return -1;
  const auto left = deadline - SteadyClock::now();
  if (left.count() <= 0) return 0;
  const auto millis = std::chrono::ceil<std::chrono::milliseconds>(left).count();
  return millis > 3600'000 ? 3600'000 : static_cast<int>(millis);
}

}  // namespace crd
