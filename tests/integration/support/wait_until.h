#pragma once

#include <chrono>
#include <thread>

#include "daemon/base/clock.h"

namespace crd::testing {

// What may take a while on a busy machine, but never this long.
inline constexpr std::chrono::seconds kPatience{20};

inline Deadline Within(std::chrono::milliseconds time) { return SteadyClock::now() + time; }

// Looks at a condition again and again; false when it did not come true in time.
template <typename Condition>
[[nodiscard]] bool WaitUntil(Condition condition, std::chrono::milliseconds limit = kPatience) {
  const Deadline deadline = Within(limit);
  while (!condition()) {
    if (SteadyClock::now() >= deadline) return condition();
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  return true;
}

}  // namespace crd::testing
