#pragma once

#include <chrono>
#include <functional>
#include <string>

#include "daemon/base/unique_fd.h"

namespace crd {

// What core needs of the event loop that it runs under. Functions given to it are called on the
// loop's thread, one at a time.
class ExitWatcher {
 public:
  virtual ~ExitWatcher() = default;
  // Calls `ended` once, when the process behind `pidfd` has ended. The watcher keeps a duplicate.
  // Any thread.
  virtual void Watch(FdRef pidfd, std::function<void()> ended) = 0;
  // Any thread.
  virtual void After(std::chrono::milliseconds delay, std::function<void()> then) = 0;
};

// Keeps descriptors alive while crd itself is restarted (systemd's store, if there is one).
class FdKeeper {
 public:
  virtual ~FdKeeper() = default;
  virtual void Keep(const std::string& name, FdRef fd) = 0;
  virtual void Forget(const std::string& name) = 0;
};

}  // namespace crd
