#include "daemon/rpc/caller_descriptors.h"

#include <chrono>
#include <thread>

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "daemon/base/children.h"
#include "tests/support/result_matchers.h"

namespace crd::rpc {
namespace {

using crd::testing::Refuses;

Peer PeerOf(const Child& child) {
  return {.pid = child.pid(),
          .process = std::make_shared<const UniqueFd>(
              ::fcntl(child.process().fd().get(), F_DUPFD_CLOEXEC, 0))};
}

ino_t InodeOf(int fd) {
  struct stat status {};
  EXPECT_EQ(::fstat(fd, &status), 0);
  return status.st_ino;
}

TEST(CallerDescriptorsTest, AreTheCallersOwn) {
  const Peer self{.pid = ::getpid(),
                  .process = std::make_shared<const UniqueFd>(
                      static_cast<int>(::syscall(SYS_pidfd_open, ::getpid(), 0)))};
  ASSERT_OK_AND_ASSIGN(const StdioFromCaller taken, TakeDescriptors(&self));
  ASSERT_EQ(taken.descriptors->size(), 3U);
  for (int fd = 0; fd < 3; ++fd) {
    const UniqueFd& copy = (*taken.descriptors)[static_cast<std::size_t>(fd)];
    EXPECT_EQ(InodeOf(copy.get()), InodeOf(fd));
    EXPECT_NE(::fcntl(copy.get(), F_GETFD) & FD_CLOEXEC, 0);
  }
}

TEST(CallerDescriptorsTest, WhoHasNoProcessHasNone) {
  EXPECT_THAT(TakeDescriptors(nullptr), Refuses("CALLER_GONE"));
  const Peer gone{.pid = 1};
  EXPECT_THAT(TakeDescriptors(&gone), Refuses("CALLER_GONE"));
}

TEST(CallerDescriptorsTest, WhoHasEndedHasNone) {
  Children children;
  ASSERT_OK_AND_ASSIGN(Child child, children.Launch({.argv = {"/bin/true"}}));
  const Peer peer = PeerOf(child);
  ASSERT_TRUE(child.Wait(SteadyClock::now() + std::chrono::seconds(10)).ok());
  EXPECT_THAT(TakeDescriptors(&peer), Refuses("CALLER_GONE"));
}

TEST(CallerDescriptorsTest, WhoHasClosedOneIsToldSo) {
  Children children;
  ASSERT_OK_AND_ASSIGN(
      const Child child,
      children.Launch({.argv = {"/bin/sh", "-c", "exec 0<&-; exec /bin/sleep 3600"}}));
  const Peer peer = PeerOf(child);
  const Deadline patience = SteadyClock::now() + std::chrono::seconds(10);
  auto taken = TakeDescriptors(&peer);
  while (taken.ok() && SteadyClock::now() < patience) {
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
    taken = TakeDescriptors(&peer);
  }
  EXPECT_THAT(taken, Refuses("INVALID_REQUEST"));
}

}  // namespace
}  // namespace crd::rpc
