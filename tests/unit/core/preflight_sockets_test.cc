#include <cstring>

#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "daemon/core/preflight.h"
#include "tests/support/temp_dir.h"
#include "tests/unit/core/preflight_fixture.h"

namespace crd {
namespace {

using ::crd::testing::Inspect;
using ::crd::testing::Messages;
using ::crd::testing::Must;
using ::crd::testing::Reasons;
using ::crd::testing::TempDir;
using ::crd::testing::TestProcess;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

// In a network namespace of the calling process: only in a TestProcess.
void PrivateNetwork() {
  Must(::unshare(CLONE_NEWNET) == 0);
  const int socket = ::socket(AF_INET, SOCK_DGRAM, 0);
  ifreq request{};
  std::strcpy(request.ifr_name, "lo");
  request.ifr_flags = IFF_UP;
  Must(::ioctl(socket, SIOCSIFFLAGS, &request) == 0);
  ::close(socket);
}

sockaddr_in Loopback(std::uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

int Listen(std::uint16_t port) {
  const int socket = ::socket(AF_INET, SOCK_STREAM, 0);
  const sockaddr_in address = Loopback(port);
  Must(::bind(socket, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
  Must(::listen(socket, 5) == 0);
  return socket;
}

void Connect(std::uint16_t port) {
  const int socket = ::socket(AF_INET, SOCK_STREAM, 0);
  const sockaddr_in address = Loopback(port);
  Must(::connect(socket, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
}

sockaddr_un UnixAddress(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
  return address;
}

int BindUnix(int type, const std::string& path) {
  const int socket = ::socket(AF_UNIX, type | SOCK_CLOEXEC, 0);
  const sockaddr_un address = UnixAddress(path);
  Must(::bind(socket, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
  if (type != SOCK_DGRAM) Must(::listen(socket, 5) == 0);
  return socket;
}

int ConnectUnix(int type, const std::string& path) {
  const int socket = ::socket(AF_UNIX, type | SOCK_CLOEXEC, 0);
  const sockaddr_un address = UnixAddress(path);
  Must(::connect(socket, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
  return socket;
}

// --- the internet's ---

TEST(PreflightSocketsTest, SocketsWithoutAPeerAreFine) {
  const TestProcess process([] {
    PrivateNetwork();
    Listen(5000);
    for (const int type : {SOCK_STREAM, SOCK_DGRAM}) {
      Must(::socket(AF_INET, type, 0) >= 0 && ::socket(AF_INET6, type, 0) >= 0);
    }
    Must(::socket(AF_INET, SOCK_RAW, IPPROTO_ICMP) >= 0);
    Must(::socket(AF_PACKET, SOCK_RAW, htons(3)) >= 0);
    Must(::socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE) >= 0);
  });
  EXPECT_THAT(Messages(process.pid()), IsEmpty());
}

TEST(PreflightSocketsTest, ConnectionsAreCountedAndOneIsNamed) {
  const TestProcess process([] {
    PrivateNetwork();
    const int listener = Listen(5000);
    Connect(5000);
    Must(::accept(listener, nullptr, nullptr) >= 0);
    ::close(listener);
  });
  EXPECT_THAT(Reasons(process.pid()), ElementsAre("NEEDS_TCP_ESTABLISHED"));
  EXPECT_THAT(Messages(process.pid()), HasSubstr("2 open TCP connections"));
  EXPECT_THAT(Messages(process.pid()), HasSubstr("-> 127.0.0.1:5000"));
  EXPECT_THAT(Reasons(process.pid(), {.tcp_established = true}), IsEmpty());
}

TEST(PreflightSocketsTest, ConnectionsThatWaitNeedSkipInFlight) {
  const TestProcess process([] {
    PrivateNetwork();
    Listen(5000);
    Connect(5000);
  });
  EXPECT_THAT(Reasons(process.pid(), {.tcp_established = true}),
              ElementsAre("NEEDS_TCP_SKIP_IN_FLIGHT"));
  EXPECT_THAT(Messages(process.pid()), HasSubstr("127.0.0.1:5000 and has 1 connection "));
  EXPECT_THAT(Reasons(process.pid(), {.tcp_established = true, .tcp_skip_in_flight = true}),
              IsEmpty());
}

TEST(PreflightSocketsTest, CorkedUdpIsInTheWay) {
  const TestProcess process([] {
    const int socket = ::socket(AF_INET, SOCK_DGRAM, 0);
    const int on = 1;
    Must(::setsockopt(socket, IPPROTO_UDP, UDP_CORK, &on, sizeof on) == 0);
  });
  EXPECT_THAT(Reasons(process.pid()), ElementsAre("CORKED_UDP"));
}

TEST(PreflightSocketsTest, ProtocolsAndFamiliesThatCriuDoesNotKnow) {
  const TestProcess mptcp([] { Must(::socket(AF_INET, SOCK_STREAM, IPPROTO_MPTCP) >= 0); });
  if (mptcp.pid() != 0) {
    EXPECT_THAT(Messages(mptcp.pid()), HasSubstr("MPTCP"));
  }
  const TestProcess capture([] { Must(::socket(AF_XDP, SOCK_RAW, 0) >= 0); });
  if (capture.pid() != 0) {
    EXPECT_THAT(Reasons(capture.pid()), ElementsAre("UNSUPPORTED_SOCKET"));
    EXPECT_THAT(Messages(capture.pid()), HasSubstr("AF_XDP (packet capture)"));
  }
  const TestProcess vsock([] { Must(::socket(AF_VSOCK, SOCK_STREAM, 0) >= 0); });
  if (vsock.pid() != 0) {
    EXPECT_THAT(Messages(vsock.pid()), HasSubstr("AF_VSOCK"));
  }
}

TEST(PreflightSocketsTest, UnreadNetlinkMessagesAreInTheWay) {
  const TestProcess process([] {
    const int socket = ::socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE);
    struct {
      nlmsghdr header;
      rtgenmsg body;
    } request{};
    request.header.nlmsg_len = NLMSG_LENGTH(sizeof request.body);
    request.header.nlmsg_type = RTM_GETLINK;
    request.header.nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
    Must(::send(socket, &request, request.header.nlmsg_len, 0) > 0);
  });
  EXPECT_THAT(Reasons(process.pid()), ElementsAre("NETLINK_HAS_DATA"));
}

// --- unix ---

class PreflightUnixTest : public ::testing::Test {
 protected:
  const TempDir dir_;
  const std::string path_ = dir_ / "socket";
};

TEST_F(PreflightUnixTest, PairsWithinTheTreeAreFine) {
  const TestProcess process([&] {
    int pair[2];
    Must(::socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0);
    Must(::socketpair(AF_UNIX, SOCK_DGRAM, 0, pair) == 0);
    Must(::socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair) == 0);
    ::close(pair[1]);  // and one whose other end was closed
    BindUnix(SOCK_STREAM, path_);
    ConnectUnix(SOCK_STREAM, path_);  // not accepted, but by a listener of the tree
  });
  EXPECT_THAT(Messages(process.pid()), IsEmpty());
}

TEST_F(PreflightUnixTest, StreamToTheOutsideIsNamedWithItsHolder) {
  const UniqueFd listener(BindUnix(SOCK_STREAM, path_));
  const TestProcess process([&] { ConnectUnix(SOCK_STREAM, path_); });
  EXPECT_THAT(Reasons(process.pid()), ElementsAre("UNIX_NOT_ACCEPTED"));
  UniqueFd server(::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC));
  EXPECT_THAT(Reasons(process.pid(), {.ext_unix_sk = true}), ElementsAre("UNIX_PEER_OUTSIDE"));
  EXPECT_THAT(Messages(process.pid()), HasSubstr(fmt::format("(pid {})", ::getpid())));
  server.reset();
  EXPECT_THAT(Messages(process.pid()), IsEmpty()) << "the other end was closed";
}

TEST_F(PreflightUnixTest, StreamOnAStandardStreamIsALink) {
  int pair[2];
  ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
  const UniqueFd ours(pair[0]);
  UniqueFd theirs(pair[1]);
  struct stat status {};
  ASSERT_EQ(::fstat(theirs.get(), &status), 0);
  TestProcess::Options options;
  options.stdout_fd = theirs.get();
  const TestProcess process(options, [] { Must(::dup2(1, 8) == 8); });
  theirs.reset();
  ASSERT_OK_AND_ASSIGN(const Preflight preflight, Inspect(process.pid()));
  EXPECT_THAT(Messages(process.pid()), IsEmpty());
  EXPECT_THAT(preflight.external, ElementsAre(fmt::format("unix[{}]", status.st_ino)));
  ASSERT_EQ(preflight.stdio.size(), 1U);
  EXPECT_EQ(preflight.stdio[0].kind, StdioLink::Kind::kSocket);
  EXPECT_EQ(preflight.stdio[0].key, fmt::format("socket:[{}]", status.st_ino));
  EXPECT_EQ(preflight.stdio[0].fd, 1);
}

TEST_F(PreflightUnixTest, DatagramsToANamedServerNeedExtUnixSk) {
  const UniqueFd server(BindUnix(SOCK_DGRAM, path_));
  const TestProcess process([&] { ConnectUnix(SOCK_DGRAM, path_); });
  EXPECT_THAT(Reasons(process.pid()), ElementsAre("NEEDS_EXT_UNIX_SK"));
  EXPECT_THAT(Messages(process.pid()), HasSubstr(path_));
  EXPECT_THAT(Reasons(process.pid(), {.ext_unix_sk = true}), IsEmpty());
}

TEST_F(PreflightUnixTest, DatagramsToANamelessPeerCannotBeDumped) {
  int pair[2];
  ASSERT_EQ(::socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, pair), 0);
  const UniqueFd ours(pair[0]);
  UniqueFd theirs(pair[1]);
  TestProcess::Options options;
  options.stdout_fd = theirs.get();
  const TestProcess process(options);
  theirs.reset();
  EXPECT_THAT(Reasons(process.pid(), {.ext_unix_sk = true}), ElementsAre("UNIX_PEER_OUTSIDE"));
}

TEST_F(PreflightUnixTest, BacklogThatCannotBeMadeAnew) {
  for (const bool closed : {true, false}) {
    const std::string path = path_ + (closed ? "1" : "2");
    const TestProcess process([&] {
      BindUnix(SOCK_STREAM, path);
      const int client = ConnectUnix(SOCK_STREAM, path);
      if (closed) {
        ::close(client);
      } else {
        Must(::write(client, "x", 1) == 1);
      }
    });
    EXPECT_THAT(Reasons(process.pid()), ElementsAre("UNIX_BACKLOG"));
    EXPECT_THAT(Messages(process.pid()), HasSubstr(path));
  }
}

TEST_F(PreflightUnixTest, SocketsInANetworkNamespaceOfTheTreeAreFoundThere) {
  const TestProcess process([&] {
    PrivateNetwork();
    BindUnix(SOCK_STREAM, path_);
    ::close(ConnectUnix(SOCK_STREAM, path_));
  });
  EXPECT_THAT(Reasons(process.pid()), ElementsAre("UNIX_BACKLOG"));
}

}  // namespace
}  // namespace crd
