#include "daemon/base/pid_fd.h"

#include <chrono>
#include <csignal>

#include <sys/wait.h>
#include <unistd.h>

#include "tests/support/result_matchers.h"

namespace crd {
namespace {

using testing::FailsWith;
using testing::IsOk;

constexpr auto kPatience = std::chrono::seconds(10);

// Ends with 7 when it is killed by nobody first.
pid_t StartSleeper() {
  const pid_t pid = ::fork();
  if (pid == 0) {
    ::alarm(60);
    ::pause();
    ::_exit(7);
  }
  return pid;
}

TEST(PidFd, TellsTheSignalThatEndedAChild) {
  auto process = PidFd::Open(StartSleeper());
  ASSERT_THAT(process, IsOk());
  EXPECT_FALSE(process->HasExited());
  EXPECT_EQ(process->TryExitStatus(), std::nullopt);
  ASSERT_THAT(process->Signal(SIGKILL), IsOk());
  ASSERT_TRUE(process->WaitExit(SteadyClock::now() + kPatience));
  EXPECT_EQ(process->TakeExitStatus(SteadyClock::now()),
            (ExitStatus{.code = {}, .signal = SIGKILL}));
}

TEST(PidFd, TellsTheExitCodeOfAChild) {
  const pid_t pid = ::fork();
  if (pid == 0) ::_exit(42);
  auto process = PidFd::Open(pid);
  ASSERT_THAT(process, IsOk());
  ASSERT_TRUE(process->WaitExit(SteadyClock::now() + kPatience));
  EXPECT_EQ(process->TakeExitStatus(SteadyClock::now()), (ExitStatus{.code = 42, .signal = {}}));
}

TEST(PidFd, FindsNobodyUnderAPidThatIsFree) {
  const pid_t pid = ::fork();
  if (pid == 0) ::_exit(0);
  ASSERT_EQ(::waitpid(pid, nullptr, 0), pid);
  EXPECT_THAT(PidFd::Open(pid), FailsWith(Code::kNotFound));
}

TEST(PidFd, DoesNotTakeAnotherProcessForARecordedOne) {
  auto process = PidFd::Open(::getpid());
  ASSERT_THAT(process, IsOk());
  EXPECT_THAT(PidFd::Reopen(process->identity()), IsOk());
  ProcessIdentity earlier = process->identity();
  --earlier.start_time;
  EXPECT_THAT(PidFd::Reopen(earlier), FailsWith(Code::kNotFound));
}

TEST(PidFd, ReadsTheStartTimeOfAProgramWithAnOddName) {
  int ready[2];
  ASSERT_EQ(::pipe2(ready, 0), 0);
  const pid_t pid = ::fork();
  if (pid == 0) {
    ::pthread_setname_np(::pthread_self(), ") 1 2 (");
    [[maybe_unused]] const ssize_t put = ::write(ready[1], "x", 1);
    ::pause();
    ::_exit(0);
  }
  char byte = 0;
  ASSERT_EQ(::read(ready[0], &byte, 1), 1);
  const auto odd = ReadStartTime(pid);
  const auto ours = ReadStartTime(::getpid());
  ASSERT_THAT(odd, IsOk());
  EXPECT_GE(*odd, *ours);
  EXPECT_LT(*odd, *ours + 1'000'000);
  ::kill(pid, SIGKILL);
  ::waitpid(pid, nullptr, 0);
  ::close(ready[0]);
  ::close(ready[1]);
}

}  // namespace
}  // namespace crd
