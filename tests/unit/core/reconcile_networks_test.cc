#include "daemon/core/reconcile_networks.h"

#include <gmock/gmock.h>

#include "tests/support/result_matchers.h"

namespace crd {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr WallMicros kNow = 1000;
const CheckpointId kCheckpoint("k1");
const ContainerId kContainer("c1");

ReservationRecord Reservation(ReservationState state, Keeping keeping = Keeping::kRelease) {
  return {.id = ReservationId("r1"),
          .network = "web",
          .state = state,
          .keeping = keeping,
          .checkpoint_id = kCheckpoint,
          .container_id = kContainer};
}

ObservedNetworks Kept() { return {.checkpoints = {kCheckpoint}}; }

ObservedNetworks Pinned() {
  return {.checkpoints = {kCheckpoint}, .pins = {kCheckpoint}, .pinned = {kCheckpoint}};
}

TEST(ReconcileNetworks, WhatIsAsItShouldBeStays) {
  const auto plan = PlanNetworks(
      {.reservations = {Reservation(ReservationState::kHeld, Keeping::kHold)}}, Pinned(), kNow);
  EXPECT_THAT(plan.reservations, IsEmpty());
  EXPECT_THAT(plan.unpin, IsEmpty());
  ObservedNetworks running = Kept();
  running.running.insert(kContainer);
  EXPECT_THAT(
      PlanNetworks({.reservations = {Reservation(ReservationState::kActive)}}, running, kNow)
          .reservations,
      IsEmpty());
}

TEST(ReconcileNetworks, WhatEndedUnseenGivesItsAddressesBack) {
  const auto plan =
      PlanNetworks({.reservations = {Reservation(ReservationState::kActive)}}, Kept(), kNow);
  ASSERT_EQ(plan.reservations.size(), 1U);
  EXPECT_EQ(plan.reservations[0].state, ReservationState::kHeld);
  EXPECT_EQ(plan.reservations[0].keeping, Keeping::kRelease);
}

// A restore that died: the namespace that it was to join is still there.
TEST(ReconcileNetworks, AnUnfinishedRestoreLeavesTheNamespaceHeld) {
  const auto plan =
      PlanNetworks({.reservations = {Reservation(ReservationState::kActive)}}, Pinned(), kNow);
  ASSERT_EQ(plan.reservations.size(), 1U);
  EXPECT_EQ(plan.reservations[0].keeping, Keeping::kHold);
  EXPECT_THAT(plan.unpin, IsEmpty());
}

TEST(ReconcileNetworks, NothingIsHeldForACheckpointThatIsGone) {
  for (const auto state : {ReservationState::kActive, ReservationState::kHeld}) {
    ObservedNetworks observed = Pinned();
    observed.checkpoints.clear();
    const auto plan =
        PlanNetworks({.reservations = {Reservation(state, Keeping::kHold)}}, observed, kNow);
    ASSERT_EQ(plan.reservations.size(), 1U);
    EXPECT_EQ(plan.reservations[0].state, ReservationState::kReleased);
    EXPECT_THAT(plan.unpin, ElementsAre(kCheckpoint));
  }
}

TEST(ReconcileNetworks, AfterARestartOfTheHostHoldIsRelease) {
  ObservedNetworks observed = Kept();
  observed.pins.insert(kCheckpoint);
  const auto plan = PlanNetworks(
      {.reservations = {Reservation(ReservationState::kHeld, Keeping::kHold)}}, observed, kNow);
  ASSERT_EQ(plan.reservations.size(), 1U);
  EXPECT_EQ(plan.reservations[0].state, ReservationState::kHeld);
  EXPECT_EQ(plan.reservations[0].keeping, Keeping::kRelease);
  EXPECT_THAT(plan.reservations[0].problem, HasSubstr("restart"));
  EXPECT_THAT(plan.unpin, ElementsAre(kCheckpoint));
}

TEST(ReconcileNetworks, WhatHasExpiredIsReleasedAndWhatWillIsScheduled) {
  ReservationRecord expired = Reservation(ReservationState::kHeld, Keeping::kHold);
  expired.expires_us = kNow;
  auto plan = PlanNetworks({.reservations = {expired}}, Pinned(), kNow);
  ASSERT_EQ(plan.reservations.size(), 1U);
  EXPECT_EQ(plan.reservations[0].state, ReservationState::kReleased);
  EXPECT_THAT(plan.unpin, ElementsAre(kCheckpoint));
  expired.expires_us = kNow + 1;
  plan = PlanNetworks({.reservations = {expired}}, Pinned(), kNow);
  EXPECT_THAT(plan.reservations, IsEmpty());
  EXPECT_THAT(plan.expiries, ElementsAre(kNow + 1));
}

TEST(ReconcileNetworks, WhatWasReservedByHandIsHeldOn) {
  ReservationRecord by_hand = Reservation(ReservationState::kHeld);
  by_hand.checkpoint_id = {};
  by_hand.container_id = {};
  EXPECT_THAT(PlanNetworks({.reservations = {by_hand}}, {}, kNow).reservations, IsEmpty());
}

TEST(ReconcileNetworks, OnlyBridgesOfCrdsAreMadeAgain) {
  const NetworkRecord made{.name = "a", .bridge = "bra", .origin = NetworkOrigin::kMade};
  const NetworkRecord there{.name = "b", .bridge = "brb", .origin = NetworkOrigin::kMade};
  const NetworkRecord taken{.name = "c", .bridge = "brc", .origin = NetworkOrigin::kTaken};
  const auto plan = PlanNetworks({.networks = {made, there, taken}}, {.bridges = {"brb"}}, kNow);
  ASSERT_EQ(plan.remake.size(), 1U);
  EXPECT_EQ(plan.remake[0].name, "a");
}

}  // namespace
}  // namespace crd
