#include "daemon/core/reconcile.h"

#include "tests/support/result_matchers.h"

namespace crd {
namespace {

constexpr WallMicros kNow = 1000;
const ContainerId kContainer("c1");
const CheckpointId kCheckpoint("k1");

Recorded With(ContainerState state) {
  return {.containers = {{.id = kContainer,
                          .state = state,
                          .process = {.pid = 7, .start_time = 9},
                          .boot_id = "b"}}};
}

Observed Nothing() { return {.boot_id = "b"}; }

Observed Alive() {
  Observed observed = Nothing();
  observed.alive.insert(kContainer);
  return observed;
}

TEST(Reconcile, WatchesWhatRunsOn) {
  const auto plan = PlanReconcile(With(ContainerState::kRunning), Alive(), kNow);
  ASSERT_EQ(plan.watch.size(), 1U);
  EXPECT_TRUE(plan.containers.empty());
}

TEST(Reconcile, WhatEndedUnseenIsLost) {
  const auto plan = PlanReconcile(With(ContainerState::kRunning), Nothing(), kNow);
  ASSERT_EQ(plan.containers.size(), 1U);
  EXPECT_EQ(plan.containers[0].state, ContainerState::kLost);
  EXPECT_NE(plan.containers[0].problem.find("unknown"), std::string::npos);
  EXPECT_TRUE(plan.watch.empty());
}

TEST(Reconcile, AStatusThatWasKeptIsRecorded) {
  Observed observed = Nothing();
  observed.exits[kContainer] = ExitStatus{.code = 42, .signal = {}};
  const auto plan = PlanReconcile(With(ContainerState::kRunning), observed, kNow);
  ASSERT_EQ(plan.containers.size(), 1U);
  EXPECT_EQ(plan.containers[0].state, ContainerState::kExited);
  EXPECT_EQ(plan.containers[0].exit.code, 42);
}

TEST(Reconcile, ARestartOfTheHostIsSaid) {
  Observed observed = Nothing();
  observed.boot_id = "another";
  const auto plan = PlanReconcile(With(ContainerState::kRunning), observed, kNow);
  ASSERT_EQ(plan.containers.size(), 1U);
  EXPECT_EQ(plan.containers[0].problem, "the host was restarted");
}

TEST(Reconcile, ADumpThatWasRolledBackLeavesItRunning) {
  const auto plan = PlanReconcile(With(ContainerState::kCheckpointing), Alive(), kNow);
  ASSERT_EQ(plan.containers.size(), 1U);
  EXPECT_EQ(plan.containers[0].state, ContainerState::kRunning);
  EXPECT_EQ(plan.watch.size(), 1U);
}

TEST(Reconcile, ADumpThatWasCommittedLeavesItCheckpointed) {
  Observed observed = Nothing();
  observed.committed[kContainer] = kCheckpoint;
  const auto plan = PlanReconcile(With(ContainerState::kCheckpointing), observed, kNow);
  ASSERT_EQ(plan.containers.size(), 1U);
  EXPECT_EQ(plan.containers[0].state, ContainerState::kCheckpointed);
  EXPECT_EQ(plan.containers[0].last_checkpoint_id, kCheckpoint);
}

TEST(Reconcile, ACommittedCheckpointAndALiveTreeMayBothBe) {
  Observed observed = Alive();
  observed.committed[kContainer] = kCheckpoint;
  observed.ready.insert(kCheckpoint);
  Recorded recorded = With(ContainerState::kCheckpointing);
  recorded.operations.push_back(
      {.id = OperationId("o"), .checkpoint_id = kCheckpoint, .container_id = kContainer});
  const auto plan = PlanReconcile(recorded, observed, kNow);
  EXPECT_EQ(plan.containers[0].state, ContainerState::kRunning);
  EXPECT_EQ(plan.operations[0].state, OperationState::kSucceeded);
}

TEST(Reconcile, ARestoreThatWasNotAdoptedIsForgotten) {
  const auto plan = PlanReconcile(With(ContainerState::kRestoring), Nothing(), kNow);
  EXPECT_EQ(plan.forget, std::vector<ContainerId>{kContainer});
  EXPECT_TRUE(plan.containers.empty());
}

TEST(Reconcile, ARestoreThatCameToItsEndIsAdopted) {
  const auto plan = PlanReconcile(With(ContainerState::kRestoring), Alive(), kNow);
  ASSERT_EQ(plan.containers.size(), 1U);
  EXPECT_EQ(plan.containers[0].state, ContainerState::kRunning);
  EXPECT_EQ(plan.containers[0].started_us, kNow);
}

TEST(Reconcile, ACheckpointThatWasBeingMadeFails) {
  const Recorded recorded{
      .checkpoints = {{.id = kCheckpoint, .state = CheckpointState::kCreating}}};
  const auto plan = PlanReconcile(recorded, Nothing(), kNow);
  ASSERT_EQ(plan.checkpoints.size(), 1U);
  EXPECT_EQ(plan.checkpoints[0].state, CheckpointState::kFailed);
  EXPECT_EQ(plan.remove, std::vector<CheckpointId>{kCheckpoint});
}

TEST(Reconcile, ADeletionThatHadBegunIsFinished) {
  const Recorded recorded{
      .checkpoints = {{.id = kCheckpoint, .state = CheckpointState::kDeleting}}};
  const auto plan = PlanReconcile(recorded, Nothing(), kNow);
  EXPECT_EQ(plan.finish_deleting, std::vector<CheckpointId>{kCheckpoint});
  EXPECT_TRUE(plan.checkpoints.empty());
}

TEST(Reconcile, AnOperationWithoutAnOutcomeFails) {
  const Recorded recorded{.operations = {{.id = OperationId("o"), .stage = "dump"}}};
  const auto plan = PlanReconcile(recorded, Nothing(), kNow);
  ASSERT_EQ(plan.operations.size(), 1U);
  EXPECT_EQ(plan.operations[0].state, OperationState::kFailed);
  EXPECT_EQ(plan.operations[0].error.reason, "CRD_DIED");
}

}  // namespace
}  // namespace crd
