#include "net/unix_diag.h"

#include <cstring>

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "tests/support/result_matchers.h"
#include "tests/support/test_process.h"

namespace crd::net {
namespace {

using ::crd::testing::FailsWith;
using ::crd::testing::Must;
using ::crd::testing::TestProcess;

ino_t InodeOf(const UniqueFd& fd) {
  struct stat status {};
  return ::fstat(fd.get(), &status) == 0 ? status.st_ino : 0;
}

// An abstract address that no other test has.
sockaddr_un Abstract() {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const std::string name = fmt::format("crd-test-{}", ::getpid());
  std::memcpy(address.sun_path + 1, name.data(), name.size());
  return address;
}

TEST(UnixDiagTest, PairKnowsItsPeer) {
  int pair[2];
  ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
  const UniqueFd one(pair[0]);
  UniqueFd two(pair[1]);
  ASSERT_OK_AND_ASSIGN(UnixDiag diag, UnixDiag::Open());
  ASSERT_OK_AND_ASSIGN(const UnixSocket socket, diag.Find(InodeOf(one)));
  EXPECT_EQ(socket.inode, InodeOf(one));
  EXPECT_EQ(socket.type, SOCK_STREAM);
  EXPECT_TRUE(socket.connected_stream());
  EXPECT_FALSE(socket.shut_down);
  EXPECT_EQ(socket.peer, InodeOf(two));
  EXPECT_EQ(socket.name, "");
  EXPECT_EQ(socket.unsent, 0U);

  ASSERT_EQ(::write(one.get(), "abc", 3), 3);
  ASSERT_OK_AND_ASSIGN(const UnixSocket written, diag.Find(InodeOf(one)));
  EXPECT_GT(written.unsent, 0U);

  two.reset();
  ASSERT_OK_AND_ASSIGN(const UnixSocket closed, diag.Find(InodeOf(one)));
  EXPECT_TRUE(closed.shut_down);
}

TEST(UnixDiagTest, ListenerKnowsItsNameAndWhoWaits) {
  const sockaddr_un address = Abstract();
  const auto* raw = reinterpret_cast<const sockaddr*>(&address);
  const UniqueFd listener(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  ASSERT_EQ(::bind(listener.get(), raw, sizeof address), 0);
  ASSERT_EQ(::listen(listener.get(), 5), 0);
  const UniqueFd client(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  ASSERT_EQ(::connect(client.get(), raw, sizeof address), 0);

  ASSERT_OK_AND_ASSIGN(UnixDiag diag, UnixDiag::Open());
  ASSERT_OK_AND_ASSIGN(const UnixSocket listening, diag.Find(InodeOf(listener)));
  EXPECT_TRUE(listening.listening());
  EXPECT_EQ(listening.name.substr(0, 10), "@crd-test-");
  EXPECT_THAT(listening.waiting, ::testing::ElementsAre(InodeOf(client)));
  ASSERT_OK_AND_ASSIGN(const UnixSocket waiting, diag.Find(InodeOf(client)));
  EXPECT_EQ(waiting.peer, ino_t{0});
}

TEST(UnixDiagTest, UnconnectedSocketHasNoPeer) {
  const UniqueFd socket(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  ASSERT_OK_AND_ASSIGN(UnixDiag diag, UnixDiag::Open());
  ASSERT_OK_AND_ASSIGN(const UnixSocket found, diag.Find(InodeOf(socket)));
  EXPECT_FALSE(found.peer.has_value());
  EXPECT_FALSE(found.connected_stream());
}

TEST(UnixDiagTest, UnknownInodeIsNotFoundAndTheNextQuestionIsAnswered) {
  const UniqueFd socket(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  ASSERT_OK_AND_ASSIGN(UnixDiag diag, UnixDiag::Open());
  EXPECT_THAT(diag.Find(4294967295U), FailsWith(Code::kNotFound));
  EXPECT_TRUE(diag.Find(InodeOf(socket)).ok());
}

TEST(UnixDiagTest, OtherNamespacesAreSeenOnlyFromWithin) {
  const UniqueFd socket(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  const TestProcess elsewhere([] { Must(::unshare(CLONE_NEWNET) == 0); });
  const UniqueFd netns(
      ::open(fmt::format("/proc/{}/ns/net", elsewhere.pid()).c_str(), O_RDONLY | O_CLOEXEC));
  const UniqueFd own(::open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC));
  const ino_t before = InodeOf(own);
  ASSERT_OK_AND_ASSIGN(UnixDiag diag, UnixDiag::Open(netns.ref()));
  EXPECT_THAT(diag.Find(InodeOf(socket)), FailsWith(Code::kNotFound));
  const UniqueFd after(::open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC));
  EXPECT_EQ(InodeOf(after), before) << "the caller stays where it was";
  EXPECT_FALSE(UnixDiag::Open(socket.ref()).ok()) << "a socket is no namespace";
}

}  // namespace
}  // namespace crd::net
