#pragma once

#include <atomic>
#include <cstdint>

#include <sys/eventfd.h>

#include "daemon/base/unique_fd.h"

namespace crd {

// Asks a blocking piece of work to stop. The work polls fd() along with whatever else it waits for.
// Any thread may call any function; a cancellation is never taken back.
class CancelToken {
 public:
  CancelToken() : event_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {}

  void Cancel() {
    cancelled_.store(true);
    const std::uint64_t one = 1;
    // Cannot fail in a way that matters: the counter is far from full, and the flag is set.
    [[maybe_unused]] const ssize_t put = ::write(event_.get(), &one, sizeof one);
  }
  [[nodiscard]] bool cancelled() const { return cancelled_.load(); }
  [[nodiscard]] FdRef fd() const { return event_.ref(); }

 private:
  UniqueFd event_;
  std::atomic<bool> cancelled_ = false;
};

}  // namespace crd
