#pragma once

#include <cstring>
#include <optional>
#include <string>
#include <utility>

#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "daemon/base/clock.h"
#include "daemon/base/unique_fd.h"
#include "tests/integration/support/received.h"
#include "tests/integration/support/wait_until.h"

namespace crd::testing {

// Whoever takes the consoles of containers: what `--console-socket` of a runtime leads to.
class ConsoleSocket {
 public:
  explicit ConsoleSocket(std::string path)
      : path_(std::move(path)), listener_(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::strncpy(address.sun_path, path_.c_str(), sizeof address.sun_path - 1);
    EXPECT_EQ(::bind(listener_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address),
              0);
    EXPECT_EQ(::listen(listener_.get(), 4), 0);
  }
  [[nodiscard]] const std::string& path() const { return path_; }

  // The master of the next console that comes; invalid if none comes in time.
  [[nodiscard]] UniqueFd Take() const {
    if (!Readable(listener_.get())) return UniqueFd();
    const UniqueFd connection(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
    if (!connection.valid() || !Readable(connection.get())) return UniqueFd();
    std::optional<Received> message = Receive(connection.ref());
    if (!message.has_value() || message->fds.empty()) return UniqueFd();
    return std::move(message->fds.front());
  }

 private:
  static bool Readable(int fd) {
    pollfd waiting{.fd = fd, .events = POLLIN, .revents = 0};
    return ::poll(&waiting, 1, PollTimeout(Within(kPatience))) > 0;
  }

  std::string path_;
  UniqueFd listener_;
};

}  // namespace crd::testing
