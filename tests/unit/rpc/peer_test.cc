#include "daemon/rpc/peer.h"

#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/support/result_matchers.h"

namespace crd::rpc {
namespace {

using ::crd::testing::IsOk;

std::pair<UniqueFd, UniqueFd> SocketPair() {
  int ends[2] = {-1, -1};
  EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
  return {UniqueFd(ends[0]), UniqueFd(ends[1])};
}

std::string GrpcName(const UniqueFd& fd) { return "fd:" + std::to_string(fd.get()); }

bool Readable(FdRef fd) {
  pollfd ready{.fd = fd.get(), .events = POLLIN, .revents = 0};
  return ::poll(&ready, 1, 0) == 1;
}

class PeerTableTest : public ::testing::Test {
 protected:
  void SetUp() override { ASSERT_OK_AND_ASSIGN(table_, PeerTable::Create()); }
  std::unique_ptr<PeerTable> table_;
};

TEST(ReadPeer, IsWhoConnected) {
  const auto [ours, theirs] = SocketPair();
  ASSERT_OK_AND_ASSIGN(const Peer peer, ReadPeer(ours.ref()));
  EXPECT_EQ(peer.uid, ::getuid());
  EXPECT_EQ(peer.gid, ::getgid());
  EXPECT_EQ(peer.pid, ::getpid());
  ASSERT_NE(peer.process, nullptr);
  EXPECT_NE(::fcntl(peer.process->get(), F_GETFD) & FD_CLOEXEC, 0);
}

TEST(ReadPeer, FailsOnWhatIsNoSocket) { EXPECT_FALSE(ReadPeer(FdRef(-1)).ok()); }

TEST_F(PeerTableTest, AConnectionIsFoundByItsNewNumber) {
  auto [ours, theirs] = SocketPair();
  ASSERT_OK_AND_ASSIGN(const UniqueFd moved, table_->Add(std::move(ours), Peer{.uid = 42}));
  EXPECT_EQ(table_->size(), 1U);
  const auto peer = table_->Lookup(GrpcName(moved));
  ASSERT_NE(peer, nullptr);
  EXPECT_EQ(peer->uid, 42U);
  EXPECT_NE(::fcntl(moved.get(), F_GETFD) & FD_CLOEXEC, 0);
}

TEST_F(PeerTableTest, NamesOfNothingAreNotFound) {
  for (const char* name : {"", "fd:", "fd:1", "fd:99999999999999", "fd:4096x", "unix:", "4096"}) {
    EXPECT_EQ(table_->Lookup(name), nullptr) << name;
  }
}

TEST_F(PeerTableTest, AConnectionThatTheClientClosesIsDropped) {
  auto [ours, theirs] = SocketPair();
  ASSERT_OK_AND_ASSIGN(const UniqueFd moved, table_->Add(std::move(ours), Peer{}));
  EXPECT_FALSE(Readable(table_->hang_ups()));
  theirs.reset();
  EXPECT_TRUE(Readable(table_->hang_ups()));
  EXPECT_EQ(table_->DropClosed(), 1U);
  EXPECT_FALSE(Readable(table_->hang_ups()));
  EXPECT_EQ(table_->Lookup(GrpcName(moved)), nullptr);
  EXPECT_EQ(table_->size(), 0U);
}

TEST_F(PeerTableTest, AConnectionThatIsShutDownHereIsDroppedAndReallyClosed) {
  auto [ours, theirs] = SocketPair();
  ASSERT_OK_AND_ASSIGN(UniqueFd moved, table_->Add(std::move(ours), Peer{}));
  ASSERT_EQ(::shutdown(moved.get(), SHUT_RDWR), 0);  // as gRPC does before it closes
  moved.reset();
  EXPECT_EQ(table_->DropClosed(), 1U);
  char byte = 0;
  EXPECT_EQ(::read(theirs.get(), &byte, 1), 0);
}

TEST_F(PeerTableTest, AWaitingMessageIsNoHangUp) {
  auto [ours, theirs] = SocketPair();
  ASSERT_OK_AND_ASSIGN(const UniqueFd moved, table_->Add(std::move(ours), Peer{}));
  ASSERT_EQ(::write(theirs.get(), "x", 1), 1);
  ASSERT_EQ(::shutdown(theirs.get(), SHUT_WR), 0);
  EXPECT_FALSE(Readable(table_->hang_ups()));
  EXPECT_EQ(table_->DropClosed(), 0U);
}

TEST_F(PeerTableTest, ANumberIsNotReusedByTheNextConnections) {
  std::vector<int> numbers;
  for (int i = 0; i < 300; ++i) {
    auto [ours, theirs] = SocketPair();
    ASSERT_OK_AND_ASSIGN(const UniqueFd moved, table_->Add(std::move(ours), Peer{}));
    numbers.push_back(moved.get());
    theirs.reset();
    EXPECT_EQ(table_->DropClosed(), 1U);
  }
  std::sort(numbers.begin(), numbers.end());
  EXPECT_EQ(std::adjacent_find(numbers.begin(), numbers.end()), numbers.end());
}

TEST_F(PeerTableTest, TheNumbersBeginAgainAtTheEndOfTheRange) {
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &before), 0);
  const rlimit small{.rlim_cur = 128, .rlim_max = before.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &small), 0);
  Result<std::unique_ptr<PeerTable>> table = PeerTable::Create();
  for (int i = 0; i < 200 && table.ok(); ++i) {
    auto [ours, theirs] = SocketPair();
    Result<UniqueFd> moved = (*table)->Add(std::move(ours), Peer{.uid = static_cast<uid_t>(i)});
    ASSERT_THAT(moved, IsOk());
    EXPECT_GE(moved->get(), 64);
    EXPECT_LT(moved->get(), 128);
    const auto peer = (*table)->Lookup(GrpcName(*moved));
    ASSERT_NE(peer, nullptr);
    EXPECT_EQ(peer->uid, static_cast<uid_t>(i));
    // A hang-up that has not been looked at yet must not survive the reuse of its number.
    if (i % 20 == 0) (*table)->DropClosed();
  }
  EXPECT_EQ(::setrlimit(RLIMIT_NOFILE, &before), 0);
}

TEST(RaiseDescriptorLimit, TakesWhatTheHardLimitAllows) {
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &before), 0);
  const rlimit small{.rlim_cur = 256, .rlim_max = before.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &small), 0);
  ASSERT_OK_AND_ASSIGN(const rlimit was, RaiseDescriptorLimit());
  EXPECT_EQ(was.rlim_cur, 256U);
  rlimit after{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &after), 0);
  EXPECT_EQ(after.rlim_cur, before.rlim_max);
  EXPECT_EQ(::setrlimit(RLIMIT_NOFILE, &before), 0);
}

}  // namespace
}  // namespace crd::rpc
