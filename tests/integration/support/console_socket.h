#pragma once

#include <cstring>
#include <string>

#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "daemon/base/clock.h"
#include "daemon/base/unique_fd.h"
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
    ::bind(listener_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address);
    ::listen(listener_.get(), 4);
  }
  [[nodiscard]] const std::string& path() const { return path_; }

  // The master of the next console that comes; invalid if none comes in time.
  [[nodiscard]] UniqueFd Take() const {
    if (!Readable(listener_.get())) return UniqueFd();
    const UniqueFd connection(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
    if (!connection.valid() || !Readable(connection.get())) return UniqueFd();
    char text[256];
    alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))];
    iovec part{.iov_base = text, .iov_len = sizeof text};
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    message.msg_control = control;
    message.msg_controllen = sizeof control;
    if (::recvmsg(connection.get(), &message, MSG_CMSG_CLOEXEC) <= 0) return UniqueFd();
    const cmsghdr* header = CMSG_FIRSTHDR(&message);
    if (header == nullptr || header->cmsg_type != SCM_RIGHTS) return UniqueFd();
    int master = -1;
    std::memcpy(&master, CMSG_DATA(header), sizeof master);
    return UniqueFd(master);
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
