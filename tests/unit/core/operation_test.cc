#include "daemon/core/operation.h"

#include <atomic>
#include <future>
#include <thread>

#include "daemon/core/claims.h"
#include "daemon/core/operation_runner.h"
#include "tests/support/result_matchers.h"

namespace crd {
namespace {

using testing::IsOk;
using testing::Refuses;

std::shared_ptr<Operation> NewOperation(Deadline deadline = kNoDeadline) {
  return std::make_shared<Operation>(OperationRecord{.id = NewId<OperationId>()}, deadline);
}

void End(Operation& operation) {
  OperationRecord record = operation.record();
  record.state = OperationState::kSucceeded;
  operation.End(std::move(record));
}

TEST(Operation, TellsItsStagesInOrder) {
  const auto operation = NewOperation();
  operation->Enter("inspect");
  operation->Enter("dump");
  const auto stages = operation->stages();
  ASSERT_EQ(stages.size(), 2U);
  EXPECT_EQ(stages[0].stage, "inspect");
  EXPECT_EQ(operation->progress().stage, "dump");
}

TEST(Operation, IsGivenUpWhenTheLastWatcherDoes) {
  const auto operation = NewOperation();
  operation->AddWatcher();
  operation->AddWatcher();
  operation->DropWatcher(/*gave_up=*/true);
  EXPECT_THAT(operation->CheckGoingOn(), IsOk());
  operation->DropWatcher(/*gave_up=*/true);
  EXPECT_THAT(operation->CheckGoingOn(), Refuses("OPERATION_CANCELLED"));
}

TEST(Operation, EndsAtItsDeadline) {
  EXPECT_THAT(NewOperation(SteadyClock::now())->CheckGoingOn(), Refuses("OPERATION_TIMED_OUT"));
}

TEST(Operation, WakesWhoWaitsForIt) {
  const auto operation = NewOperation();
  auto waiter = std::async(std::launch::async, [&] {
    while (!operation->ended())
      operation->WaitBeyond(operation->progress().revision, std::chrono::seconds(10));
  });
  End(*operation);
  EXPECT_EQ(waiter.wait_for(std::chrono::seconds(5)), std::future_status::ready);
}

TEST(OperationRunner, RunsAsManyAtOnceAsItHasThreads) {
  OperationRunner runner(2);
  std::promise<void> go;
  const std::shared_future<void> gate = go.get_future().share();
  std::atomic<int> begun = 0;
  std::vector<std::shared_ptr<Operation>> operations;
  for (int i = 0; i < 3; ++i) {
    operations.push_back(NewOperation());
    ASSERT_THAT(runner.Submit(operations.back(),
                              [&, gate](Operation& operation) {
                                ++begun;
                                gate.wait();
                                End(operation);
                              }),
                IsOk());
  }
  EXPECT_EQ(runner.live().size(), 3U);
  go.set_value();
  runner.Drain(kNoDeadline);
  EXPECT_EQ(begun, 3);
  EXPECT_TRUE(runner.live().empty());
}

TEST(OperationRunner, TakesNothingNewWhileItDrains) {
  OperationRunner runner(1);
  runner.Drain(SteadyClock::now());
  EXPECT_THAT(runner.Submit(NewOperation(), [](Operation&) {}), Refuses("SHUTTING_DOWN"));
}

TEST(OperationRunner, CancelsWhatDoesNotEndInTime) {
  OperationRunner runner(1);
  const auto operation = NewOperation();
  ASSERT_THAT(runner.Submit(operation,
                            [](Operation& running) {
                              while (running.CheckGoingOn().ok()) std::this_thread::yield();
                              End(running);
                            }),
              IsOk());
  runner.Drain(SteadyClock::now() + std::chrono::milliseconds(10));
  EXPECT_TRUE(operation->ended());
}

TEST(OperationRunner, RefusesWhatItCannotHold) {
  OperationRunner runner(1);
  std::promise<void> go;
  const std::shared_future<void> gate = go.get_future().share();
  const auto work = [gate](Operation& operation) {
    gate.wait();
    End(operation);
  };
  Result<void> last;
  for (std::size_t i = 0; last.ok() && i < OperationRunner::kMaxWaiting + 2; ++i) {
    last = runner.Submit(NewOperation(), work);
  }
  EXPECT_THAT(last, Refuses("TOO_MANY_OPERATIONS"));
  go.set_value();
}

TEST(Claims, APidBelongsToOneOperation) {
  Claims claims;
  const OperationId first("a");
  const OperationId second("b");
  Claim one(claims, first);
  EXPECT_THAT(one.Pids({10, 11}), IsOk());
  {
    Claim other(claims, second);
    EXPECT_THAT(other.Pids({12, 11}), Refuses("TREE_BUSY"));
    EXPECT_EQ(claims.BusyPids(second), (std::map<pid_t, OperationId>{{10, first}, {11, first}}));
    EXPECT_THAT(other.Pids({12}), IsOk());
  }
  EXPECT_THAT(one.Pids({12}), IsOk());
}

TEST(Claims, ACheckpointIsReadByManyOrRemovedByOne) {
  Claims claims;
  const CheckpointId checkpoint("k");
  Claim remover(claims, OperationId("c"));
  {
    Claim one(claims, OperationId("a"));
    Claim other(claims, OperationId("b"));
    EXPECT_THAT(one.ReadCheckpoint(checkpoint), IsOk());
    EXPECT_THAT(other.ReadCheckpoint(checkpoint), IsOk());
    EXPECT_THAT(remover.OwnCheckpoint(checkpoint), Refuses("CHECKPOINT_IN_USE"));
  }
  EXPECT_THAT(remover.OwnCheckpoint(checkpoint), IsOk());
  Claim late(claims, OperationId("d"));
  EXPECT_THAT(late.ReadCheckpoint(checkpoint), Refuses("CHECKPOINT_IN_USE"));
}

}  // namespace
}  // namespace crd
