#pragma once

#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <string>
#include <utility>

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net/netns.h"
#include "tests/support/result_matchers.h"

namespace crd::net::testing {

// What is "the host" to these tests is a network namespace of their own, and ends with them. They
// set networks up with ip(8), which knows nothing of the code under test.
class NamespacesTest : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_EQ(::unshare(CLONE_NEWNET), 0);
    ASSERT_TRUE(Ip("link set lo up"));
  }

  static bool Ip(const std::string& arguments) { return Run("ip " + arguments); }
  static bool IpIn(FdRef netns, const std::string& arguments) {
    bool done = false;
    static_cast<void>(RunInNetns(netns, [&]() -> Result<void> {
      done = Ip(arguments);
      return {};
    }));
    return done;
  }
  // Whether a connection from the host to an address of the namespace comes about in time.
  static bool Reaches(FdRef netns, const std::string& address, std::chrono::milliseconds patience) {
    UniqueFd server;
    sockaddr_storage where{};
    socklen_t size = 0;
    static_cast<void>(RunInNetns(netns, [&]() -> Result<void> {
      server = Listener(address, where, size);
      return {};
    }));
    if (!server.valid()) return false;
    const UniqueFd client(::socket(where.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    auto* target = reinterpret_cast<sockaddr*>(&where);
    if (::connect(client.get(), target, size) != 0 && errno != EINPROGRESS) return false;
    pollfd waiting{.fd = server.get(), .events = POLLIN, .revents = 0};
    return ::poll(&waiting, 1, static_cast<int>(patience.count())) == 1;
  }
  static bool Run(const std::string& command) { return std::system(command.c_str()) == 0; }

  // A bridge with addresses, and `inner` in the namespace plugged into it by `outer`.
  static void MakeBridge(const std::string& name) {
    ASSERT_TRUE(Ip("link add " + name + " type bridge"));
    ASSERT_TRUE(Ip("address add 10.77.0.1/24 dev " + name));
    ASSERT_TRUE(Ip("address add fd77::1/64 dev " + name + " nodad"));
    ASSERT_TRUE(Ip("link set " + name + " up"));
  }
  static void MakeVeth(FdRef netns, const std::string& inner, const std::string& outer,
                       const std::string& bridge) {
    ASSERT_TRUE(Ip("link add " + outer + " type veth peer name " + inner + " netns /proc/" +
                   std::to_string(::getpid()) + "/fd/" + std::to_string(netns.get())));
    if (!bridge.empty()) {
      ASSERT_TRUE(Ip("link set " + outer + " master " + bridge));
    }
    ASSERT_TRUE(Ip("link set " + outer + " up"));
    ASSERT_TRUE(IpIn(netns, "link set lo up"));
    ASSERT_TRUE(IpIn(netns, "link set " + inner + " up"));
  }

 private:
  static UniqueFd Listener(const std::string& address, sockaddr_storage& where, socklen_t& size) {
    constexpr std::uint16_t kPort = 7777;
    size = sizeof(sockaddr_in);
    auto* v4 = reinterpret_cast<sockaddr_in*>(&where);
    if (::inet_pton(AF_INET, address.c_str(), &v4->sin_addr) == 1) {
      v4->sin_family = AF_INET;
      v4->sin_port = htons(kPort);
    } else {
      auto* v6 = reinterpret_cast<sockaddr_in6*>(&where);
      size = sizeof *v6;
      v6->sin6_family = AF_INET6;
      v6->sin6_port = htons(kPort);
      ::inet_pton(AF_INET6, address.c_str(), &v6->sin6_addr);
    }
    UniqueFd server(::socket(where.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0));
    if (::bind(server.get(), reinterpret_cast<sockaddr*>(&where), size) != 0) return UniqueFd();
    return ::listen(server.get(), 1) == 0 ? std::move(server) : UniqueFd();
  }
};

}  // namespace crd::net::testing
