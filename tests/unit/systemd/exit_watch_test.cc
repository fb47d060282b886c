#include "systemd/exit_watch.h"

#include <atomic>
#include <chrono>
#include <csignal>
#include <memory>
#include <optional>
#include <thread>
#include <vector>

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include "daemon/base/children.h"
#include "tests/support/result_matchers.h"

namespace crd::systemd {
namespace {

using ::crd::testing::IsOk;

using namespace std::chrono_literals;

class ExitWatchTest : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_OK_AND_ASSIGN(loop_, EventLoop::Create());
    watch_.emplace(*loop_);
    ASSERT_OK_AND_ASSIGN(watchdog_, loop_->AddTimer(SteadyClock::now() + 20s, [this] {
      ADD_FAILURE() << "the loop did not end in time";
      loop_->Exit(1);
    }));
  }
  Result<Child> Sleeper() {
    return children_.Launch({.argv = {"/bin/sleep", "1000"}, .descriptors = {}});
  }

  Children children_;
  std::unique_ptr<EventLoop> loop_;
  std::optional<ExitWatch> watch_;
  EventSource watchdog_;
};

TEST_F(ExitWatchTest, TheEndOfAProcessIsToldOnceOnTheLoopsThread) {
  ASSERT_OK_AND_ASSIGN(Child child, Sleeper());
  int calls = 0;
  std::thread::id called_on;
  EXPECT_THAT(watch_->Watch(child.process().fd(),
                            [&] {
                              ++calls;
                              called_on = std::this_thread::get_id();
                              loop_->Post([this] { loop_->Post([this] { loop_->Exit(0); }); });
                            }),
              IsOk());
  loop_->Post([&] { child.Kill(); });
  EXPECT_THAT(loop_->Run(), IsOk());
  EXPECT_EQ(calls, 1);
  EXPECT_EQ(called_on, std::this_thread::get_id());
}

TEST_F(ExitWatchTest, AProcessThatHasEndedAlreadyIsToldToo) {
  ASSERT_OK_AND_ASSIGN(Child child, Sleeper());
  child.Kill();
  ASSERT_TRUE(child.process().WaitExit(SteadyClock::now() + 10s));
  EXPECT_THAT(watch_->Watch(child.process().fd(), [this] { loop_->Exit(0); }), IsOk());
  EXPECT_THAT(loop_->Run(), IsOk());
}

TEST_F(ExitWatchTest, TheCallersDescriptorMayBeClosedAtOnce) {
  ASSERT_OK_AND_ASSIGN(Child child, Sleeper());
  {
    ASSERT_OK_AND_ASSIGN(const PidFd other, PidFd::Open(child.pid()));
    EXPECT_THAT(watch_->Watch(other.fd(), [this] { loop_->Exit(0); }), IsOk());
  }
  child.Kill();
  EXPECT_THAT(loop_->Run(), IsOk());
}

TEST_F(ExitWatchTest, ACancelledWatchIsNotCalled) {
  ASSERT_OK_AND_ASSIGN(Child child, Sleeper());
  ASSERT_OK_AND_ASSIGN(const auto cancelled, watch_->Watch(child.process().fd(), [] {
    ADD_FAILURE() << "called although it was cancelled";
  }));
  loop_->Post([&] {
    watch_->Cancel(cancelled);
    // Two watches of one process do not disturb each other.
    EXPECT_THAT(watch_->Watch(child.process().fd(), [this] { loop_->Exit(0); }), IsOk());
    child.Kill();
  });
  EXPECT_THAT(loop_->Run(), IsOk());
  watch_->Cancel(cancelled);
}

TEST_F(ExitWatchTest, ACancelBeforeTheLoopHeardOfTheWatchWins) {
  ASSERT_OK_AND_ASSIGN(Child child, Sleeper());
  child.Kill();
  ASSERT_OK_AND_ASSIGN(const auto token, watch_->Watch(child.process().fd(), [] {
    ADD_FAILURE() << "called although it was cancelled";
  }));
  watch_->Cancel(token);
  loop_->Post([this] { loop_->Post([this] { loop_->Exit(0); }); });
  EXPECT_THAT(loop_->Run(), IsOk());
}

TEST_F(ExitWatchTest, WatchAndCancelWorkFromManyThreads) {
  constexpr int kThreads = 4;
  constexpr int kEach = 20;
  std::atomic<int> told = 0;
  std::vector<std::jthread> threads;
  ASSERT_OK_AND_ASSIGN(Child child, Sleeper());
  ASSERT_OK_AND_ASSIGN(Child ended, Sleeper());
  ended.Kill();
  for (int i = 0; i < kThreads; ++i) {
    threads.emplace_back([&] {
      for (int j = 0; j < kEach; ++j) {
        const auto living = watch_->Watch(child.process().fd(), [] { ADD_FAILURE(); });
        EXPECT_THAT(living, IsOk());
        EXPECT_THAT(watch_->Watch(ended.process().fd(),
                                  [&] {
                                    if (++told == kThreads * kEach) loop_->Exit(0);
                                  }),
                    IsOk());
        if (living.ok()) watch_->Cancel(*living);
      }
    });
  }
  EXPECT_THAT(loop_->Run(), IsOk());
  EXPECT_EQ(told, kThreads * kEach);
}

TEST_F(ExitWatchTest, AWatchThatIsGoneIsNotCalledByWhatWasPosted) {
  ASSERT_OK_AND_ASSIGN(Child child, Sleeper());
  child.Kill();
  EXPECT_THAT(watch_->Watch(child.process().fd(), [] { ADD_FAILURE(); }), IsOk());
  watch_.reset();
  loop_->Post([this] { loop_->Exit(0); });
  EXPECT_THAT(loop_->Run(), IsOk());
}

}  // namespace
}  // namespace crd::systemd
