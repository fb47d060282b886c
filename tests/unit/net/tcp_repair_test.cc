#include "net/tcp_repair.h"

#include <cstring>

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "tests/support/result_matchers.h"
#include "tests/support/test_process.h"

namespace crd::net {
namespace {

using ::crd::testing::FailsWith;
using ::crd::testing::ForkDying;
using ::crd::testing::Must;
using ::crd::testing::SleepForEver;
using ::crd::testing::TestProcess;

// A connection over the loopback of a network namespace of its own.
struct Connection {
  Connection() {
    Must(::unshare(CLONE_NEWNET) == 0);
    const int control = ::socket(AF_INET, SOCK_DGRAM, 0);
    ifreq request{};
    std::strcpy(request.ifr_name, "lo");
    request.ifr_flags = IFF_UP;
    Must(::ioctl(control, SIOCSIFFLAGS, &request) == 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(5000);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    const auto* raw = reinterpret_cast<const sockaddr*>(&address);
    listener = ::socket(AF_INET, SOCK_STREAM, 0);
    client = ::socket(AF_INET, SOCK_STREAM, 0);
    Must(::bind(listener, raw, sizeof address) == 0 && ::listen(listener, 1) == 0);
    Must(::connect(client, raw, sizeof address) == 0);
    server = ::accept(listener, nullptr, nullptr);
  }
  int listener = -1;
  int client = -1;
  int server = -1;
};

void EnterRepair(int socket) {
  const int on = 1;
  Must(::setsockopt(socket, IPPROTO_TCP, TCP_REPAIR, &on, sizeof on) == 0);
}

TEST(TcpRepairTest, ConnectionGoesOnAfterTheCure) {
  int reports[2];
  ASSERT_EQ(::pipe2(reports, O_CLOEXEC), 0);
  const UniqueFd report(reports[0]);
  UniqueFd reporter(reports[1]);
  TestProcess::Options options;
  options.stdout_fd = reporter.get();
  // The child sends once it may; what arrives is passed on to the test.
  const TestProcess process(options, [] {
    const Connection connection;
    EnterRepair(connection.client);
    EnterRepair(connection.server);
    if (ForkDying() != 0) return;
    int in_repair = 1;
    while (in_repair == 1) {
      socklen_t size = sizeof in_repair;
      ::getsockopt(connection.client, IPPROTO_TCP, TCP_REPAIR, &in_repair, &size);
      pollfd nothing{};
      ::poll(&nothing, 0, 1);
    }
    Must(::send(connection.client, "hello", 5, 0) == 5);
    char text[5];
    Must(::recv(connection.server, text, sizeof text, MSG_WAITALL) == 5);
    Must(::write(1, text, sizeof text) == 5);
    SleepForEver();
  });
  reporter.reset();
  EXPECT_THAT(CureRepairMode(process.pid()), ::crd::testing::IsOk());
  pollfd poll_fd{.fd = report.get(), .events = POLLIN, .revents = 0};
  ASSERT_EQ(::poll(&poll_fd, 1, 20000), 1);
  char text[6] = {};
  ASSERT_EQ(::read(report.get(), text, 5), 5);
  EXPECT_STREQ(text, "hello");
}

TEST(TcpRepairTest, OnlySocketsInRepairModeAreCounted) {
  const TestProcess process([] {
    const Connection connection;
    EnterRepair(connection.client);
  });
  ASSERT_OK_AND_ASSIGN(const int first, CureRepairMode(process.pid()));
  EXPECT_EQ(first, 1);
  ASSERT_OK_AND_ASSIGN(const int second, CureRepairMode(process.pid()));
  EXPECT_EQ(second, 0);
}

TEST(TcpRepairTest, ProcessWithoutSocketsOrWithoutLife) {
  TestProcess process;
  const pid_t pid = process.pid();
  ASSERT_OK_AND_ASSIGN(const int cured, CureRepairMode(pid));
  EXPECT_EQ(cured, 0);
  process.Stop();
  EXPECT_THAT(CureRepairMode(pid), FailsWith(Code::kNotFound));
}

}  // namespace
}  // namespace crd::net
