#include "daemon/base/children.h"

#include <chrono>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <thread>

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "daemon/base/cgroup.h"
#include "daemon/base/files.h"
#include "tests/support/result_matchers.h"
#include "tests/support/temp_dir.h"

namespace crd {
namespace {

using testing::FailsWith;
using testing::IsOk;
using testing::TempDir;

Deadline Soon() { return SteadyClock::now() + std::chrono::seconds(10); }

TEST(Children, TellHowAProgramEnded) {
  Children children;
  auto child = children.Launch({.argv = {"/bin/sh", "-c", "exit 5"}});
  ASSERT_THAT(child, IsOk());
  EXPECT_EQ(*child->Wait(Soon()), (ExitStatus{.code = 5, .signal = {}}));
}

TEST(Children, GiveAProgramOnlyWhatIsNamed) {
  TempDir directory;
  const UniqueFd file(::open((directory / "fds").c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
  Children children;
  auto child = children.Launch(
      {.argv = {"/bin/ls", "/proc/self/fd"}, .descriptors = {{file.ref(), 1}, {file.ref(), 7}}});
  ASSERT_THAT(child, IsOk());
  ASSERT_THAT(child->Wait(Soon()), IsOk());
  const auto listed = ReadFile(directory / "fds");
  ASSERT_THAT(listed, IsOk());
  EXPECT_NE(listed->find("7\n"), std::string::npos);
}

TEST(Children, HaveTheLimitOfDescriptorsThatTheyAreToHave) {
  rlimit ours{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &ours), 0);
  const rlimit theirs{.rlim_cur = 321, .rlim_max = ours.rlim_max};
  Children children(theirs);
  auto child = children.Launch({.argv = {"/bin/sleep", "60"}});
  ASSERT_THAT(child, IsOk());
  rlimit seen{};
  ASSERT_EQ(::prlimit(child->pid(), RLIMIT_NOFILE, nullptr, &seen), 0);
  EXPECT_EQ(seen.rlim_cur, 321U);
  EXPECT_EQ(seen.rlim_max, ours.rlim_max);
}

TEST(Children, StartProgramsWithACleanMask) {
  sigset_t blocked;
  sigset_t before;
  ::sigemptyset(&blocked);
  ::sigaddset(&blocked, SIGTERM);
  ::pthread_sigmask(SIG_BLOCK, &blocked, &before);
  Children children;
  auto child = children.Launch({.argv = {"/bin/sleep", "60"}});
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
  ASSERT_THAT(child, IsOk());
  ASSERT_THAT(child->process().Signal(SIGTERM), IsOk());
  EXPECT_EQ(*child->Wait(Soon()), (ExitStatus{.code = {}, .signal = SIGTERM}));
}

TEST(Children, PassOnNoOrdersOfSystemd) {
  ::setenv("NOTIFY_SOCKET", "/nowhere", 1);  // NOLINT(concurrency-mt-unsafe)
  Children children;
  auto child = children.Launch({.argv = {"/bin/sh", "-c", "test -z \"$NOTIFY_SOCKET\""}});
  ::unsetenv("NOTIFY_SOCKET");  // NOLINT(concurrency-mt-unsafe)
  ASSERT_THAT(child, IsOk());
  EXPECT_EQ(*child->Wait(Soon()), (ExitStatus{.code = 0, .signal = {}}));
}

TEST(Children, SayWhichProgramCouldNotBeStarted) {
  Children children;
  const auto child = children.Launch({.argv = {"/nowhere/criu"}});
  ASSERT_THAT(child, FailsWith(Code::kNotFound));
  EXPECT_NE(child.error().message.find("/nowhere/criu"), std::string::npos);
}

TEST(Children, LeaveNothingOfAProgramThatCouldNotBeStarted) {
  Children children;
  ASSERT_FALSE(children.Launch({.argv = {"/etc/passwd"}}).ok());
  siginfo_t info{};
  EXPECT_TRUE(::waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) != 0 || info.si_pid == 0);
}

TEST(Children, StartProgramsWithDefaultHandlers) {
  struct sigaction ignore {};
  struct sigaction before {};
  ignore.sa_handler = SIG_IGN;
  ::sigaction(SIGUSR1, &ignore, &before);
  Children children;
  auto child = children.Launch({.argv = {"/bin/sleep", "60"}});
  ::sigaction(SIGUSR1, &before, nullptr);
  ASSERT_THAT(child, IsOk());
  ASSERT_THAT(child->process().Signal(SIGUSR1), IsOk());
  EXPECT_EQ(*child->Wait(Soon()), (ExitStatus{.code = {}, .signal = SIGUSR1}));
}

TEST(Children, AreEndedWhenNobodyWaitsForThem) {
  Children children;
  pid_t pid = 0;
  {
    auto child = children.Launch({.argv = {"/bin/sleep", "60"}});
    ASSERT_THAT(child, IsOk());
    pid = child->pid();
  }
  EXPECT_THAT(PidFd::Open(pid), FailsWith(Code::kNotFound));
}

TEST(Children, ReapStrangersAndLeaveTheirOwn) {
  Children children;
  auto own = children.Launch({.argv = {"/bin/sh", "-c", "exit 3"}});
  ASSERT_THAT(own, IsOk());
  const pid_t stranger = ::fork();
  if (stranger == 0) ::_exit(0);
  ASSERT_TRUE(own->process().WaitExit(Soon()));
  const Deadline deadline = Soon();
  while (children.ReapStrangers() == 0 && SteadyClock::now() < deadline) std::this_thread::yield();
  EXPECT_THAT(PidFd::Open(stranger), FailsWith(Code::kNotFound));
  EXPECT_EQ(*own->Wait(Soon()), (ExitStatus{.code = 3, .signal = {}}));
}

TEST(Cgroup, EndsEverythingInIt) {
  const auto parent = CgroupOf(0);
  ASSERT_THAT(parent, IsOk());
  auto cgroup = Cgroup::Create(*parent, "crd-test-" + std::to_string(::getpid()));
  ASSERT_THAT(cgroup, IsOk());
  Children children;
  auto child = children.Launch({.argv = {"/bin/sleep", "60"}, .cgroup = cgroup->directory()});
  ASSERT_THAT(child, IsOk());
  EXPECT_EQ(*cgroup->Pids(), std::vector<pid_t>{child->pid()});
  EXPECT_FALSE(*cgroup->IsEmpty());
  EXPECT_FALSE(cgroup->Remove().ok());
  ASSERT_THAT(cgroup->Destroy(Soon()), IsOk());
  EXPECT_FALSE(std::filesystem::exists(cgroup->path()));
  EXPECT_EQ(*child->Wait(Soon()), (ExitStatus{.code = {}, .signal = SIGKILL}));
}

TEST(Cgroup, TakesNewOnesAfterEverybodyInItWasEnded) {
  const auto parent = CgroupOf(0);
  ASSERT_THAT(parent, IsOk());
  auto cgroup = Cgroup::Create(*parent, "crd-test-again-" + std::to_string(::getpid()));
  ASSERT_THAT(cgroup, IsOk());
  ASSERT_THAT(cgroup->Kill(), IsOk());
  Children children;
  auto child = children.Launch({.argv = {"/bin/sleep", "60"}, .cgroup = cgroup->directory()});
  ASSERT_THAT(child, IsOk());
  EXPECT_EQ(*cgroup->Pids(), std::vector<pid_t>{child->pid()});
  EXPECT_EQ(*CgroupOf(child->pid()), cgroup->path());
  ASSERT_THAT(cgroup->Destroy(Soon()), IsOk());
  EXPECT_EQ(*child->Wait(Soon()), (ExitStatus{.code = {}, .signal = SIGKILL}));
}

}  // namespace
}  // namespace crd
