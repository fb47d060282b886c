#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <mutex>

namespace crd {

// Tells waiters that there is something newer than what they have seen; what it is they read from
// the inventory. Thread-safe.
class EventHub {
 public:
  explicit EventHub(std::int64_t last_sequence) : last_(last_sequence) {}

  void Publish(std::int64_t sequence) {
    {
      const std::lock_guard lock(mutex_);
      if (sequence > last_) last_ = sequence;
    }
    changed_.notify_all();
  }

  [[nodiscard]] std::int64_t last() const {
    const std::lock_guard lock(mutex_);
    return last_;
  }

  // True if there is an event newer than `sequence`, at once or within `limit`.
  bool WaitBeyond(std::int64_t sequence, std::chrono::milliseconds limit) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, limit, [&] { return last_ > sequence; });
  }

 private:
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::int64_t last_;
};

}  // namespace crd
