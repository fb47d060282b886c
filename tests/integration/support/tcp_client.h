#pragma once

#include <cstdint>
#include <string>

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include "daemon/base/clock.h"
#include "daemon/base/unique_fd.h"
#include "tests/integration/support/wait_until.h"

namespace crd::testing {

// A client of a victim, in the test: the end that is not checkpointed. It belongs to the network
// namespace of the thread that makes it.
class TcpClient {
 public:
  // An address of either version, and a port, as the socket API wants them.
  struct Target {
    Target(const std::string& address, std::int64_t port) {
      const bool is_v6 = address.find(':') != std::string::npos;
      auto* v4 = reinterpret_cast<sockaddr_in*>(&storage);
      auto* v6 = reinterpret_cast<sockaddr_in6*>(&storage);
      storage.ss_family = is_v6 ? AF_INET6 : AF_INET;
      void* where = is_v6 ? static_cast<void*>(&v6->sin6_addr) : &v4->sin_addr;
      ::inet_pton(storage.ss_family, address.c_str(), where);
      v4->sin_port = htons(static_cast<std::uint16_t>(port));  // at the same place in both
    }
    [[nodiscard]] const sockaddr* get() const {
      return reinterpret_cast<const sockaddr*>(&storage);
    }
    [[nodiscard]] socklen_t size() const {
      return storage.ss_family == AF_INET6 ? sizeof(sockaddr_in6) : sizeof(sockaddr_in);
    }
    sockaddr_storage storage{};
  };

  TcpClient(const std::string& address, std::int64_t port) {
    const Target target(address, port);
    socket_.reset(::socket(target.storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0));
    connected_ = ::connect(socket_.get(), target.get(), target.size()) == 0;
  }
  [[nodiscard]] bool connected() const { return connected_; }
  [[nodiscard]] FdRef fd() const { return socket_.ref(); }
  void Say(const std::string& text) {
    EXPECT_EQ(::send(socket_.get(), text.data(), text.size(), MSG_NOSIGNAL),
              static_cast<ssize_t>(text.size()));
  }
  // What comes back, as long as `size`; less if it does not come in time.
  std::string Hear(std::size_t size) {
    std::string heard;
    const Deadline deadline = Within(kPatience);
    while (heard.size() < size) {
      pollfd waiting{.fd = socket_.get(), .events = POLLIN, .revents = 0};
      if (::poll(&waiting, 1, PollTimeout(deadline)) <= 0) break;
      char data[64];
      const ssize_t got = ::recv(socket_.get(), data, sizeof data, 0);
      if (got <= 0) break;
      heard.append(data, static_cast<std::size_t>(got));
    }
    return heard;
  }

 private:
  UniqueFd socket_;
  bool connected_ = false;
};

}  // namespace crd::testing
