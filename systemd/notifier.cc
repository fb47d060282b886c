#include "systemd/notifier.h"

#include <algorithm>
#include <cstdlib>
#include <string>

#include <fmt/format.h>
#include <systemd/sd-daemon.h>

namespace crd::systemd {
namespace {

Result<void> Notify(bool active, const std::string& message) {
  if (!active) return {};
  const int sent = sd_notify(/*unset_environment=*/0, message.c_str());
  if (sent < 0) return Error::FromErrno(-sent, fmt::format("tell systemd '{}'", message));
  return {};
}

}  // namespace

Notifier::Notifier()
    : active_(std::getenv("NOTIFY_SOCKET") != nullptr) {}  // NOLINT(concurrency-mt-unsafe)

Result<void> Notifier::Ready() const { return Notify(active_, "READY=1"); }

Result<void> Notifier::Stopping() const { return Notify(active_, "STOPPING=1"); }

Result<void> Notifier::Status(std::string_view text) const {
  std::string message = fmt::format("STATUS={}", text);
  // A line break would begin another assignment.
  std::replace(message.begin(), message.end(), '\n', ' ');
  return Notify(active_, message);
}

}  // namespace crd::systemd
