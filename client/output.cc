#include "client/output.h"

#include <cerrno>
#include <string>

#include <poll.h>
#include <unistd.h>

namespace crd::client {

void Output::Write(std::string_view text) {
  while (failure_ == 0 && !text.empty()) {
    const ssize_t written = ::write(fd_.get(), text.data(), text.size());
    if (written >= 0) {
      text.remove_prefix(static_cast<std::size_t>(written));
    } else if (errno == EAGAIN) {
      // Whoever shares the descriptor has made it non-blocking.
      pollfd ready{.fd = fd_.get(), .events = POLLOUT, .revents = 0};
      ::poll(&ready, 1, -1);
    } else if (errno != EINTR) {
      failure_ = errno;
    }
  }
}

void Output::Line(std::string_view text) { Write(std::string(text) + "\n"); }

}  // namespace crd::client
