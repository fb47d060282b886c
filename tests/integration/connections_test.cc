// Connections of all kinds to a tree on a bridge, through an end of its namespace and another one.
#include <atomic>
#include <cstring>
#include <memory>
#include <string>
#include <thread>

#include <netinet/in.h>

#include "tests/integration/support/bridged_network.h"
#include "tests/victims/pattern.h"

namespace crd::testing {
namespace {

using victims::PatternAt;

constexpr std::size_t kEnough = 1U << 20U;

// The test's side of the victim "stream", on a thread of its own.
class StreamPeer {
 public:
  explicit StreamPeer(FdRef socket) : socket_(socket), thread_([this] { Run(); }) {}
  StreamPeer(const StreamPeer&) = delete;
  StreamPeer& operator=(const StreamPeer&) = delete;
  ~StreamPeer() {
    stop_ = true;
    thread_.join();
    EXPECT_STREQ(problem_, "");
  }
  [[nodiscard]] std::uint64_t received() const { return received_; }
  // As much again comes in.
  [[nodiscard]] bool GoesOn() const {
    const std::uint64_t before = received_;
    return WaitUntil([&] { return received_ >= before + kEnough; });
  }

 private:
  void Run() {
    std::uint64_t sent = 0;
    while (!stop_ && *problem_ == '\0') {
      pollfd ready{.fd = socket_.get(), .events = POLLIN | POLLOUT, .revents = 0};
      ::poll(&ready, 1, 10);
      unsigned char data[4096];
      const ssize_t got = ::recv(socket_.get(), data, sizeof data, MSG_DONTWAIT);
      if (got == 0) problem_ = "closed";
      if (got < 0 && errno != EAGAIN) problem_ = std::strerror(errno);
      std::uint64_t at = received_;
      for (ssize_t i = 0; i < got; ++i) {
        if (data[i] != PatternAt(at++)) problem_ = "damaged";
      }
      received_ = at;
      for (std::size_t i = 0; i < sizeof data; ++i) data[i] = PatternAt(sent + i);
      const ssize_t put = ::send(socket_.get(), data, sizeof data, MSG_DONTWAIT | MSG_NOSIGNAL);
      if (put > 0) sent += static_cast<std::uint64_t>(put);
    }
  }

  const FdRef socket_;
  std::atomic<bool> stop_{false};
  std::atomic<std::uint64_t> received_{0};
  const char* problem_ = "";
  std::thread thread_;
};

class Connections : public BridgedNetwork {
 protected:
  // Through a checkpoint, the end of the namespace and of the bridge, and a restore.
  void Move(Victim& victim) {
    const std::string checkpoint = Checkpointed(victim, {"--tcp-established"});
    AwaitDismantled();
    MustIp("link del br0");
    MakeBridge();
    MustIp("link set vp0 master br0");
    Restored(checkpoint, {"--tcp-established"});
  }
};

class ConnectionsOfVersion : public Connections, public ::testing::WithParamInterface<bool> {
 protected:
  static const char* Address() { return GetParam() ? kAddress6 : kAddress4; }
  static const char* PeerAddress() { return GetParam() ? "fd77::9" : "10.77.0.9"; }
};

INSTANTIATE_TEST_SUITE_P(Versions, ConnectionsOfVersion, ::testing::Bool(),
                         [](const auto& tested) { return tested.param ? "Ip6" : "Ip4"; });

TEST_P(ConnectionsOfVersion, OfAServerGoOnWithDataInFlightBothWays) {
  Victim& victim = NewWired("stream");
  auto client = ConnectFromPeer(victim, Address());
  const StreamPeer peer(client->fd());
  ASSERT_TRUE(peer.GoesOn());
  Move(victim);
  EXPECT_TRUE(peer.GoesOn());
  EXPECT_TRUE(victim.GoesOn()) << victim.Problem();
}

TEST_P(ConnectionsOfVersion, OfAClientGoOnWithDataInFlightBothWays) {
  UniqueFd listener;
  sockaddr_in6 address{};
  AtPeer([&] {
    listener.reset(::socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0));
    address.sin6_family = AF_INET6;
    socklen_t size = sizeof address;
    EXPECT_EQ(::bind(listener.get(), reinterpret_cast<sockaddr*>(&address), size), 0);
    EXPECT_EQ(::listen(listener.get(), 1), 0);
    EXPECT_EQ(::getsockname(listener.get(), reinterpret_cast<sockaddr*>(&address), &size), 0);
  });
  // The namespace comes first: the victim connects as soon as it runs.
  Victim& holder = NewWired("counter");
  const std::string port = std::to_string(ntohs(address.sin6_port));
  Victim& victim = NewVictim("stream", {.arguments = {PeerAddress(), port},
                                        .starter = {"nsenter", "--net=" + NetnsOf(holder)}});
  ASSERT_TRUE(victim.Started()) << victim.Problem();
  UniqueFd accepted(::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC));
  ASSERT_TRUE(accepted.valid());
  holder.Kill();
  const StreamPeer peer(accepted.ref());
  ASSERT_TRUE(peer.GoesOn());
  Move(victim);
  EXPECT_TRUE(peer.GoesOn());
  EXPECT_TRUE(victim.GoesOn()) << victim.Problem();
}

TEST_P(ConnectionsOfVersion, WithinATreeGoOn) {
  Victim& victim = NewVictim("tcp", {.arguments = {GetParam() ? "6" : "4"},
                                     .starter = {"unshare", "--net", "sh", "-c",
                                                 "ip link set lo up && exec \"$@\"", "sh"}});
  ASSERT_TRUE(victim.Started()) << victim.Problem();
  Wire(victim.pid());
  Move(victim);
  EXPECT_TRUE(victim.GoesOn()) << victim.Problem();
}

TEST_P(ConnectionsOfVersion, ToTheHostGoOn) {
  Victim& victim = NewServer();
  TcpClient client(Address(), victim.Value(0));
  client.Say("before");
  EXPECT_EQ(client.Hear(6), "before");
  const std::string checkpoint = Checkpointed(victim, {"--tcp-established"});
  AwaitDismantled();
  client.Say("meanwhile");
  Restored(checkpoint, {"--tcp-established"});
  EXPECT_EQ(client.Hear(9), "meanwhile");
}

TEST_P(ConnectionsOfVersion, WhoseTreeHasShutItsSideStillReceive) {
  Victim& victim = NewWired("half-closed");
  auto client = ConnectFromPeer(victim, Address());
  client->Say("S");
  char nothing = 0;
  EXPECT_EQ(::recv(client->fd().get(), &nothing, 1, 0), 0);
  Move(victim);
  client->Say("more");
  EXPECT_TRUE(WaitUntil([&] { return victim.Value(1) == 5; })) << victim.Problem();
}

TEST_P(ConnectionsOfVersion, WhosePeerHasShutItsSideStillSend) {
  Victim& victim = NewWired("half-closed");
  auto client = ConnectFromPeer(victim, Address());
  EXPECT_EQ(::shutdown(client->fd().get(), SHUT_WR), 0);
  EXPECT_EQ(client->Hear(3).substr(0, 3), "...");
  Move(victim);
  EXPECT_GE(client->Hear(10000).size(), 10000U) << victim.Problem();
}

TEST_P(ConnectionsOfVersion, ByUdpGoOn) {
  Victim& victim = NewWired("udp");
  std::unique_ptr<UniqueFd> socket;
  const auto echoes = [&] {
    char data[8] = {};
    // Datagrams may be lost.
    return WaitUntil([&] {
      ::send(socket->get(), "hello", 5, 0);
      pollfd waiting{.fd = socket->get(), .events = POLLIN, .revents = 0};
      return ::poll(&waiting, 1, 50) == 1 && ::recv(socket->get(), data, sizeof data, 0) == 5;
    });
  };
  AtPeer([&] {
    const TcpClient::Target target(Address(), victim.Value(0));
    socket = std::make_unique<UniqueFd>(
        ::socket(target.storage.ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    EXPECT_EQ(::connect(socket->get(), target.get(), target.size()), 0);
  });
  EXPECT_TRUE(echoes());
  Move(victim);
  EXPECT_TRUE(echoes()) << victim.Problem();
}

TEST_F(Connections, ThatNobodyHasAcceptedAreNamedOrLeftOut) {
  Victim& victim = NewWired("backlog", {"anywhere"});
  auto client = ConnectFromPeer(victim, kAddress4);
  v1::CheckpointRequest request = CheckpointOf(victim);
  request.mutable_options()->set_tcp_established(true);
  EXPECT_THAT(api_->Checkpoint(request), FailsBecause("NEEDS_TCP_SKIP_IN_FLIGHT"));
  const std::string checkpoint =
      Checkpointed(victim, {"--tcp-established", "--tcp-skip-in-flight"});
  AwaitDismantled();
  Restored(checkpoint, {"--tcp-established"});
  EXPECT_TRUE(victim.GoesOn());
  EXPECT_TRUE(ConnectFromPeer(victim, kAddress4)->connected());
}

// The peer would send again after a minute.
TEST_P(ConnectionsOfVersion, GoOnAtOnceHoweverLongThePeerWouldWait) {
  Victim& victim = NewServer();
  MustIp(std::string("route add ") + Address() + " dev eth0 rto_min 60s", PeerPath());
  auto client = ConnectFromPeer(victim, Address());
  client->Say("before");
  EXPECT_EQ(client->Hear(6), "before");
  const std::string checkpoint = Checkpointed(victim, {"--tcp-established"});
  AwaitDismantled();
  client->Say("meanwhile");
  Restored(checkpoint, {"--tcp-established"});
  EXPECT_EQ(client->Hear(9), "meanwhile");
}

}  // namespace
}  // namespace crd::testing
