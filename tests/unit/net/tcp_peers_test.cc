#include "net/tcp_peers.h"

#include <optional>
#include <string>

#include <gmock/gmock.h>
#include <linux/sockios.h>
#include <netinet/tcp.h>
#include <sys/ioctl.h>

#include "tests/support/test_process.h"
#include "tests/unit/net/namespaces.h"

namespace crd::net {
namespace {

using ::crd::testing::IsOk;
using ::crd::testing::TestProcess;

constexpr std::uint16_t kPort = 5000;

// A connection over loopback: one end is a process's that sleeps, its peer is the test's.
class TcpPeersTest : public testing::NamespacesTest,
                     public ::testing::WithParamInterface<const char*> {
 protected:
  void SetUp() override {
    NamespacesTest::SetUp();
    // Both versions by one socket; IPv4 addresses are mapped ones.
    address_.sin6_family = AF_INET6;
    address_.sin6_port = htons(kPort);
    ASSERT_EQ(::inet_pton(AF_INET6, GetParam(), &address_.sin6_addr), 1);
    listener_.reset(::socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0));
    const auto* raw = reinterpret_cast<const sockaddr*>(&address_);
    ASSERT_EQ(::bind(listener_.get(), raw, sizeof address_), 0);
    ASSERT_EQ(::listen(listener_.get(), 1), 0);
    peer_.reset(::socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0));
    const timeval patience{.tv_sec = 5, .tv_usec = 0};
    ASSERT_EQ(::setsockopt(peer_.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience), 0);
    ASSERT_EQ(::setsockopt(peer_.get(), IPPROTO_TCP, TCP_MAXSEG, &kSegment, sizeof kSegment), 0);
    ASSERT_EQ(::connect(peer_.get(), raw, sizeof address_), 0);
    end_.reset(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
    ASSERT_TRUE(end_.valid());
    ASSERT_EQ(::setsockopt(end_.get(), SOL_SOCKET, SO_REUSEADDR, &kOn, sizeof kOn), 0);
    TestProcess::Options options;
    options.keep = {end_.get()};
    process_.emplace(options);
  }
  [[nodiscard]] std::vector<TcpConnection> Read() const {
    return ReadTcpConnections({process_->pid()});
  }
  void Say(const std::string& text) const {
    ASSERT_EQ(::send(peer_.get(), text.data(), text.size(), MSG_NOSIGNAL),
              static_cast<ssize_t>(text.size()));
  }
  [[nodiscard]] int Unsent() const {
    int bytes = -1;
    return ::ioctl(peer_.get(), SIOCOUTQNSD, &bytes) == 0 ? bytes : -1;
  }

  static constexpr int kOn = 1;
  static constexpr int kSegment = 1000;
  sockaddr_in6 address_{};
  UniqueFd listener_;
  UniqueFd peer_;
  UniqueFd end_;  // the test's copy, to be looked at
  std::optional<TestProcess> process_;
};

INSTANTIATE_TEST_SUITE_P(Versions, TcpPeersTest, ::testing::Values("::1", "::ffff:127.0.0.1"),
                         [](const auto& tested) {
                           return std::string(tested.param).size() > 3 ? "Ip4" : "Ip6";
                         });

TEST_P(TcpPeersTest, WaitWithoutSendingUntilTheyAreWoken) {
  const auto connections = Read();
  ASSERT_EQ(connections.size(), 1U);
  EXPECT_THAT(CloseWindows(connections, FdRef(-1)), IsOk());
  Say("waits");
  EXPECT_EQ(Unsent(), 5);
  EXPECT_THAT(WakePeers(connections, 1, FdRef(-1)), IsOk());
  EXPECT_EQ(Unsent(), 0);
  char text[8] = {};
  EXPECT_EQ(::recv(end_.get(), text, sizeof text, 0), 5);
  EXPECT_STREQ(text, "waits");
}

TEST_P(TcpPeersTest, GetWhatWasInFlightToThem) {
  auto connections = Read();
  ASSERT_EQ(connections.size(), 1U);
  connections[0].in_flight = "hello world";
  connections[0].segment_size = 4;
  EXPECT_THAT(WakePeers(connections, 0, FdRef(-1)), IsOk());
  char text[16] = {};
  EXPECT_EQ(::recv(peer_.get(), text, 11, MSG_WAITALL), 11);
  EXPECT_STREQ(text, "hello world");
}

// As a restored socket has it: sent, as far as it knows, and not acknowledged.
TEST_P(TcpPeersTest, GetNoMoreOfThatThanMayBeSentAtOnce) {
  std::string sent;
  for (int i = 0; sent.size() < 40 * std::size_t{kSegment}; ++i) sent += std::to_string(i) + ' ';
  // The socket itself would send it again.
  ASSERT_TRUE(Run(
      "nft 'add table inet lock; add chain inet lock out { type filter hook output priority 0; }; "
      "add rule inet lock out meta l4proto tcp meta mark != 0xC114 drop'"));
  const int room = 1 << 20;
  ASSERT_EQ(::setsockopt(end_.get(), SOL_SOCKET, SO_SNDBUFFORCE, &room, sizeof room), 0);
  const int queue = TCP_SEND_QUEUE;
  ASSERT_EQ(::setsockopt(end_.get(), IPPROTO_TCP, TCP_REPAIR, &kOn, sizeof kOn), 0);
  ASSERT_EQ(::setsockopt(end_.get(), IPPROTO_TCP, TCP_REPAIR_QUEUE, &queue, sizeof queue), 0);
  for (std::size_t at = 0; at < sent.size(); at += kSegment) {
    const std::string_view part = std::string_view(sent).substr(at, kSegment);
    ASSERT_EQ(::send(end_.get(), part.data(), part.size(), 0), static_cast<ssize_t>(part.size()));
  }
  const auto connections = Read();
  ASSERT_EQ(connections.size(), 1U);
  const std::string& in_flight = connections[0].in_flight;
  ASSERT_GT(in_flight.size(), 5 * std::size_t{kSegment});
  ASSERT_LE(in_flight.size(), 10 * std::size_t{kSegment});
  EXPECT_THAT(WakePeers(connections, 0, FdRef(-1)), IsOk());
  std::string got(in_flight.size(), '\0');
  EXPECT_EQ(::recv(peer_.get(), got.data(), got.size(), MSG_WAITALL),
            static_cast<ssize_t>(got.size()));
  EXPECT_EQ(got, sent.substr(0, got.size()));
  char more = 0;
  EXPECT_EQ(::recv(peer_.get(), &more, 1, MSG_DONTWAIT), -1);
}

TEST_P(TcpPeersTest, AreNotToldApartFromThoseBefore) {
  ASSERT_EQ(Read().size(), 1U);
  const auto option = [&](int level, int name) {
    int value = -1;
    socklen_t size = sizeof value;
    return ::getsockopt(end_.get(), level, name, &value, &size) == 0 ? value : -1;
  };
  EXPECT_EQ(option(IPPROTO_TCP, TCP_REPAIR), 0);
  EXPECT_EQ(option(SOL_SOCKET, SO_REUSEADDR), 1);
  Say("goes on");
  char text[8] = {};
  EXPECT_EQ(::recv(end_.get(), text, sizeof text, 0), 7);
}

TEST_P(TcpPeersTest, OfTheSameTreeAreLeftOut) {
  TestProcess::Options options;
  options.keep = {peer_.get()};
  const TestProcess other(options);
  EXPECT_TRUE(ReadTcpConnections({process_->pid(), other.pid()}).empty());
  EXPECT_EQ(ReadTcpConnections({other.pid()}).size(), 1U);
}

}  // namespace
}  // namespace crd::net
