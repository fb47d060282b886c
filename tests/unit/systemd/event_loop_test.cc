#include "systemd/event_loop.h"

#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <fstream>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "tests/support/result_matchers.h"

namespace crd::systemd {
namespace {

using ::crd::testing::IsOk;
using ::testing::ElementsAre;
using namespace std::chrono_literals;

class EventLoopTest : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_OK_AND_ASSIGN(loop_, EventLoop::Create());
    int ends[2];
    ASSERT_EQ(::pipe2(ends, O_CLOEXEC | O_NONBLOCK), 0);
    reader_ = UniqueFd(ends[0]);
    writer_ = UniqueFd(ends[1]);
    ASSERT_OK_AND_ASSIGN(watchdog_, loop_->AddTimer(SteadyClock::now() + 20s, [this] {
      ADD_FAILURE() << "the loop did not end in time";
      loop_->Exit(1);
    }));
  }
  void MakeReadable() { ASSERT_EQ(::write(writer_.get(), "x", 1), 1); }

  std::unique_ptr<EventLoop> loop_;
  UniqueFd reader_, writer_;
  EventSource watchdog_;
};

TEST_F(EventLoopTest, RunGivesTheCodeOfExit) {
  loop_->Post([this] { loop_->Exit(7); });
  ASSERT_OK_AND_ASSIGN(const int code, loop_->Run());
  EXPECT_EQ(code, 7);
}

TEST_F(EventLoopTest, FunctionsRunInTheOrderOfPosting) {
  std::vector<int> order;
  loop_->Post([&] {
    order.push_back(1);
    loop_->Post([&] {
      order.push_back(3);
      loop_->Exit(0);
    });
  });
  loop_->Post([&] { order.push_back(2); });
  EXPECT_THAT(loop_->Run(), IsOk());
  EXPECT_THAT(order, ElementsAre(1, 2, 3));
}

TEST_F(EventLoopTest, PostWorksFromManyThreads) {
  constexpr int kThreads = 4;
  constexpr int kEach = 500;
  int count = 0;
  std::vector<std::jthread> threads;
  for (int i = 0; i < kThreads; ++i) {
    threads.emplace_back([&] {
      for (int j = 0; j < kEach; ++j) {
        loop_->Post([&] {
          if (++count == kThreads * kEach) loop_->Exit(0);
        });
      }
    });
  }
  EXPECT_THAT(loop_->Run(), IsOk());
  EXPECT_EQ(count, kThreads * kEach);
}

TEST_F(EventLoopTest, AReadableDescriptorCallsItsFunction) {
  std::uint32_t seen = 0;
  ASSERT_OK_AND_ASSIGN(const EventSource source,
                       loop_->AddIo(reader_.ref(), EPOLLIN, [&](std::uint32_t events) {
                         seen = events;
                         loop_->Exit(0);
                       }));
  MakeReadable();
  EXPECT_THAT(loop_->Run(), IsOk());
  EXPECT_EQ(seen, EPOLLIN);
}

TEST_F(EventLoopTest, ADestroyedHandleIsNotCalledAnyMore) {
  bool called = false;
  {
    ASSERT_OK_AND_ASSIGN(
        const EventSource source,
        loop_->AddIo(reader_.ref(), EPOLLIN, [&](std::uint32_t) { called = true; }));
  }
  MakeReadable();
  loop_->Post([this] { loop_->Post([this] { loop_->Exit(0); }); });
  EXPECT_THAT(loop_->Run(), IsOk());
  EXPECT_FALSE(called);
}

TEST_F(EventLoopTest, AFunctionMayRemoveItsOwnSource) {
  std::optional<EventSource> source;
  int calls = 0;
  // The string lives in the function: it must outlast the removal that the function itself does.
  const std::string text(100, 'x');
  ASSERT_OK_AND_ASSIGN(source, loop_->AddIo(reader_.ref(), EPOLLIN, [&, text](std::uint32_t) {
    source.reset();
    ++calls;
    EXPECT_EQ(text, std::string(100, 'x'));
    loop_->Post([this] { loop_->Exit(0); });
  }));
  MakeReadable();
  EXPECT_THAT(loop_->Run(), IsOk());
  EXPECT_EQ(calls, 1);
}

TEST_F(EventLoopTest, ADescriptorCanBeWatchedAgainAfterItsHandleWasReplaced) {
  ASSERT_OK_AND_ASSIGN(EventSource source, loop_->AddIo(reader_.ref(), EPOLLIN, [](std::uint32_t) {
    ADD_FAILURE() << "the replaced function was called";
  }));
  source = EventSource();
  EXPECT_FALSE(source.active());
  ASSERT_OK_AND_ASSIGN(
      source, loop_->AddIo(reader_.ref(), EPOLLIN, [this](std::uint32_t) { loop_->Exit(0); }));
  MakeReadable();
  EXPECT_THAT(loop_->Run(), IsOk());
}

TEST_F(EventLoopTest, AClosedDescriptorIsRefusedByNumber) {
  const auto source = loop_->AddIo(FdRef(987654), EPOLLIN, [](std::uint32_t) {});
  ASSERT_FALSE(source.ok());
  EXPECT_THAT(source.error().message, ::testing::HasSubstr("987654"));
}

TEST_F(EventLoopTest, ATimerFiresOnceAndNotBeforeItsTime) {
  const auto when = SteadyClock::now() + 20ms;
  int calls = 0;
  SteadyClock::time_point fired;
  ASSERT_OK_AND_ASSIGN(const EventSource first, loop_->AddTimer(when, [&] {
    ++calls;
    fired = SteadyClock::now();
  }));
  ASSERT_OK_AND_ASSIGN(const EventSource last,
                       loop_->AddTimer(when + 20ms, [&] { loop_->Exit(0); }));
  EXPECT_THAT(loop_->Run(), IsOk());
  EXPECT_EQ(calls, 1);
  EXPECT_GE(fired, when);
}

TEST_F(EventLoopTest, ABlockedSignalCallsItsFunction) {
  sigset_t signals;
  ::sigemptyset(&signals);
  ::sigaddset(&signals, SIGUSR1);
  ASSERT_EQ(::pthread_sigmask(SIG_BLOCK, &signals, nullptr), 0);
  {
    ASSERT_OK_AND_ASSIGN(const EventSource source,
                         loop_->AddSignal(SIGUSR1, [this] { loop_->Exit(0); }));
    ASSERT_EQ(::kill(::getpid(), SIGUSR1), 0);
    EXPECT_THAT(loop_->Run(), IsOk());
  }
  EXPECT_EQ(::pthread_sigmask(SIG_UNBLOCK, &signals, nullptr), 0);
}

TEST_F(EventLoopTest, ASignalThatIsNotBlockedIsRefused) {
  const auto source = loop_->AddSignal(SIGUSR2, [] {});
  ASSERT_FALSE(source.ok());
  EXPECT_EQ(source.error().sys_errno, EBUSY);
}

std::uint64_t VoluntarySwitches(pid_t thread) {
  std::ifstream status("/proc/self/task/" + std::to_string(thread) + "/status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with("voluntary_ctxt_switches:")) return std::stoull(line.substr(24));
  }
  return 0;
}

TEST(EventLoop, AnIdleLoopDoesNotWakeUp) {
  ASSERT_OK_AND_ASSIGN(const auto loop, EventLoop::Create());
  std::atomic<pid_t> thread = 0;
  std::jthread runner([&] {
    loop->Post([&] { thread = ::gettid(); });
    EXPECT_THAT(loop->Run(), IsOk());
  });
  const auto deadline = SteadyClock::now() + 10s;
  while (thread == 0 && SteadyClock::now() < deadline) std::this_thread::yield();
  ASSERT_NE(thread, 0);
  // What is measured is a stretch of time, so it has to pass; the first part lets the loop settle.
  ::poll(nullptr, 0, 100);
  const std::uint64_t before = VoluntarySwitches(thread);
  ::poll(nullptr, 0, 1500);
  EXPECT_EQ(VoluntarySwitches(thread), before);
  loop->Post([&] { loop->Exit(0); });
}

}  // namespace
}  // namespace crd::systemd
