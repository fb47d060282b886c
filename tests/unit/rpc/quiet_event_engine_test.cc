#include "daemon/rpc/quiet_event_engine.h"

#include <chrono>
#include <future>
#include <memory>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace crd::rpc {
namespace {

using ::testing::ElementsAre;
using namespace std::chrono_literals;

constexpr auto kPatience = 20s;

bool Comes(std::promise<void>& promise) {
  return promise.get_future().wait_for(kPatience) == std::future_status::ready;
}

TEST(QuietEventEngine, RunsFunctionsInOrderOnItsThread) {
  QuietEventEngine engine;
  std::vector<int> order;
  std::promise<void> done;
  bool own_thread = false;
  engine.Run([&] { order.push_back(1); });
  engine.Run([&] {
    order.push_back(2);
    own_thread = engine.IsWorkerThread();
    engine.Run([&] { done.set_value(); });
  });
  ASSERT_TRUE(Comes(done));
  EXPECT_THAT(order, ElementsAre(1, 2));
  EXPECT_TRUE(own_thread);
  EXPECT_FALSE(engine.IsWorkerThread());
}

TEST(QuietEventEngine, RunsClosuresAndLeavesThemToTheirOwner) {
  struct Counting final : QuietEventEngine::Closure {
    void Run() override { ran.set_value(); }
    std::promise<void> ran;
  };
  Counting now;
  Counting later;
  QuietEventEngine engine;
  engine.RunAfter(1ms, &later);
  engine.Run(&now);
  EXPECT_TRUE(Comes(now.ran));
  EXPECT_TRUE(Comes(later.ran));
}

TEST(QuietEventEngine, ALaterFunctionRunsNotBeforeItsTime) {
  QuietEventEngine engine;
  const auto when = std::chrono::steady_clock::now() + 20ms;
  std::promise<void> done;
  std::chrono::steady_clock::time_point ran;
  engine.RunAfter(1h, [] { ADD_FAILURE(); });
  engine.RunAfter(20ms, [&] {
    ran = std::chrono::steady_clock::now();
    done.set_value();
  });
  ASSERT_TRUE(Comes(done));
  EXPECT_GE(ran, when);
}

TEST(QuietEventEngine, ACancelledFunctionIsDestroyedAndDoesNotRun) {
  QuietEventEngine engine;
  auto owned = std::make_shared<int>(1);
  const std::weak_ptr<int> watched = owned;
  const auto handle = engine.RunAfter(1h, [owned = std::move(owned)] { ADD_FAILURE(); });
  EXPECT_TRUE(engine.Cancel(handle));
  EXPECT_TRUE(watched.expired());
  EXPECT_FALSE(engine.Cancel(handle));
}

TEST(QuietEventEngine, WhatHasRunCannotBeCancelled) {
  QuietEventEngine engine;
  std::promise<void> done;
  const auto handle = engine.RunAfter(0ms, [&] { done.set_value(); });
  ASSERT_TRUE(Comes(done));
  EXPECT_FALSE(engine.Cancel(handle));
}

TEST(QuietEventEngine, MayBeDestroyedByAFunctionThatItRuns) {
  auto engine = std::make_shared<QuietEventEngine>();
  std::promise<void> destroyed;
  QuietEventEngine& self = *engine;
  std::promise<void> given_up;
  auto ready = given_up.get_future();
  self.Run([engine = std::move(engine), &ready, &destroyed]() mutable {
    ready.wait();
    engine.reset();
    destroyed.set_value();
  });
  given_up.set_value();
  EXPECT_TRUE(Comes(destroyed));
}

}  // namespace
}  // namespace crd::rpc
