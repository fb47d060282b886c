#include <chrono>
#include <cstdlib>
#include <cstring>
#include <string>

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "systemd/event_loop.h"
#include "systemd/fd_store.h"
#include "systemd/notifier.h"
#include "tests/support/result_matchers.h"
#include "tests/support/temp_dir.h"

namespace crd::systemd {
namespace {

using ::crd::testing::FailsWith;
using ::crd::testing::IsOk;

struct Message {
  std::string text;
  UniqueFd fd;
};

ino_t Inode(int fd) {
  struct stat status {};
  EXPECT_EQ(::fstat(fd, &status), 0);
  return status.st_ino;
}

// Plays systemd's end of NOTIFY_SOCKET.
class NotifyTest : public ::testing::Test {
 protected:
  void SetUp() override {
    const std::string path = directory_ / "notify";
    sockaddr_un address{.sun_family = AF_UNIX, .sun_path = {}};
    ASSERT_LT(path.size(), sizeof address.sun_path);
    std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
    socket_ = UniqueFd(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    ASSERT_EQ(::bind(socket_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address),
              0);
    ::setenv("NOTIFY_SOCKET", path.c_str(), 1);
  }
  void TearDown() override {
    ::unsetenv("NOTIFY_SOCKET");
    ::unsetenv("WATCHDOG_USEC");
    ::unsetenv("WATCHDOG_PID");
  }

  Message Receive() {
    pollfd ready{.fd = socket_.get(), .events = POLLIN, .revents = 0};
    EXPECT_EQ(::poll(&ready, 1, 10'000), 1);
    char text[512];
    iovec part{.iov_base = text, .iov_len = sizeof text};
    alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))];
    msghdr header{};
    header.msg_iov = &part;
    header.msg_iovlen = 1;
    header.msg_control = control;
    header.msg_controllen = sizeof control;
    const ssize_t got = ::recvmsg(socket_.get(), &header, MSG_CMSG_CLOEXEC);
    if (got < 0) return {};
    Message message{.text = std::string(text, static_cast<std::size_t>(got)), .fd = {}};
    for (cmsghdr* at = CMSG_FIRSTHDR(&header); at != nullptr; at = CMSG_NXTHDR(&header, at)) {
      if (at->cmsg_type != SCM_RIGHTS) continue;
      int fd = -1;
      std::memcpy(&fd, CMSG_DATA(at), sizeof fd);
      message.fd = UniqueFd(fd);
    }
    return message;
  }

  crd::testing::TempDir directory_;
  UniqueFd socket_;
};

TEST_F(NotifyTest, StatesAreTold) {
  const Notifier notifier;
  EXPECT_THAT(notifier.Ready(), IsOk());
  EXPECT_EQ(Receive().text, "READY=1");
  EXPECT_THAT(notifier.Stopping(), IsOk());
  EXPECT_EQ(Receive().text, "STOPPING=1");
}

TEST_F(NotifyTest, AStatusIsOneLine) {
  EXPECT_THAT(Notifier().Status("restoring\nREADY=1"), IsOk());
  EXPECT_EQ(Receive().text, "STATUS=restoring READY=1");
}

TEST_F(NotifyTest, AKeptDescriptorIsSentWithItsName) {
  const UniqueFd kept(::eventfd(0, EFD_CLOEXEC));
  const std::string name = PidFdName(ContainerId("0123456789abcdef"));
  EXPECT_THAT(FdStore().Keep(name, kept.ref()), IsOk());
  const Message message = Receive();
  EXPECT_EQ(message.text, "FDSTORE=1\nFDNAME=pidfd.0123456789abcdef\nFDPOLL=0");
  ASSERT_TRUE(message.fd.valid());
  EXPECT_EQ(Inode(message.fd.get()), Inode(kept.get()));
}

TEST_F(NotifyTest, AForgottenDescriptorIsNamed) {
  EXPECT_THAT(FdStore().Forget("pidfd.0123456789abcdef"), IsOk());
  EXPECT_EQ(Receive().text, "FDSTOREREMOVE=1\nFDNAME=pidfd.0123456789abcdef");
}

TEST_F(NotifyTest, NamesThatSystemdWouldIgnoreAreRefused) {
  for (const std::string& name :
       {std::string(), std::string("a:b"), std::string("a\nFDPOLL=1"), std::string(256, 'a')}) {
    EXPECT_THAT(FdStore().Keep(name, socket_.ref()), FailsWith(Code::kInvalidArgument)) << name;
    EXPECT_THAT(FdStore().Forget(name), FailsWith(Code::kInvalidArgument)) << name;
  }
}

TEST_F(NotifyTest, ASocketThatNobodyReadsIsAnError) {
  const Notifier notifier;
  socket_.reset();
  EXPECT_FALSE(notifier.Ready().ok());
}

TEST_F(NotifyTest, TheLoopFeedsTheWatchdogWhenSystemdAsksForIt) {
  ::setenv("WATCHDOG_USEC", "100000", 1);
  ::setenv("WATCHDOG_PID", std::to_string(::getpid()).c_str(), 1);
  ASSERT_OK_AND_ASSIGN(const auto loop, EventLoop::Create());
  ASSERT_OK_AND_ASSIGN(
      const EventSource end,
      loop->AddTimer(SteadyClock::now() + std::chrono::milliseconds(150), [&] { loop->Exit(0); }));
  EXPECT_THAT(loop->Run(), IsOk());
  EXPECT_EQ(Receive().text, "WATCHDOG=1");
  EXPECT_EQ(Receive().text, "WATCHDOG=1");
}

TEST(NoNotifySocket, EverythingSucceedsAndDoesNothing) {
  ::unsetenv("NOTIFY_SOCKET");
  EXPECT_FALSE(Notifier().active());
  EXPECT_THAT(Notifier().Ready(), IsOk());
  EXPECT_FALSE(FdStore().active());
  EXPECT_THAT(FdStore().Keep("pidfd.1", FdRef(-1)), IsOk());
  EXPECT_THAT(FdStore().Forget("pidfd.1"), IsOk());
}

TEST(PidFdNames, LeadBackToTheContainer) {
  const ContainerId id("0123456789abcdef");
  EXPECT_EQ(ContainerOfPidFd(PidFdName(id)), id);
  EXPECT_EQ(ContainerOfPidFd("pidfd."), std::nullopt);
  EXPECT_EQ(ContainerOfPidFd("crd.socket"), std::nullopt);
}

}  // namespace
}  // namespace crd::systemd
