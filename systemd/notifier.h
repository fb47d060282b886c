#pragma once

#include <string_view>

#include "daemon/base/result.h"

namespace crd::systemd {

// Tells systemd how the service is doing: sd_notify(3). Where NOTIFY_SOCKET was not set at start,
// every function does nothing and succeeds.
//
// The variable stays in our environment, because sd-event's watchdog needs it there; Children keeps
// it away from the programs that crd starts. Any thread may call the const functions as long as
// nobody changes the environment.
class Notifier {
 public:
  Notifier();

  [[nodiscard]] bool active() const { return active_; }
  // The service accepts calls.
  Result<void> Ready() const;
  Result<void> Stopping() const;
  // One line for `systemctl status`.
  Result<void> Status(std::string_view text) const;

 private:
  const bool active_;
};

}  // namespace crd::systemd
