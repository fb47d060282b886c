#include "daemon/core/states.h"

#include <iterator>
#include <set>
#include <utility>

#include "tests/support/result_matchers.h"

namespace crd {
namespace {

using testing::IsOk;

template <typename State, std::size_t N, std::size_t M>
void ExpectExactlyTheTable(const Transition<State> (&table)[N], const State (&all)[M]) {
  std::set<std::pair<State, State>> allowed;
  for (const Transition<State>& row : table) allowed.emplace(row.from, row.to);
  for (const State from : all) {
    for (const State to : all) {
      State state = from;
      const auto result = SetState(state, to);
      EXPECT_EQ(result.ok(), allowed.contains({from, to})) << Name(from) << " -> " << Name(to);
      EXPECT_EQ(state, result.ok() ? to : from);
    }
  }
}

TEST(States, ChangeByTheTableAndInNoOtherWay) {
  using C = CheckpointState;
  ExpectExactlyTheTable(kCheckpointTransitions,
                        {C::kCreating, C::kReady, C::kFailed, C::kDamaged, C::kDeleting});
  using T = ContainerState;
  ExpectExactlyTheTable(kContainerTransitions, {T::kRunning, T::kCheckpointing, T::kCheckpointed,
                                                T::kRestoring, T::kExited, T::kLost});
  using O = OperationState;
  ExpectExactlyTheTable(kOperationTransitions, {O::kRunning, O::kSucceeded, O::kFailed});
  using R = ReservationState;
  ExpectExactlyTheTable(kReservationTransitions, {R::kActive, R::kHeld, R::kReleased});
}

TEST(States, KeepTheirNames) {
  for (const auto state :
       {CheckpointState::kCreating, CheckpointState::kReady, CheckpointState::kFailed,
        CheckpointState::kDamaged, CheckpointState::kDeleting}) {
    EXPECT_EQ(ParseCheckpointState(Name(state)), state);
  }
  for (const auto state :
       {ContainerState::kRunning, ContainerState::kCheckpointing, ContainerState::kCheckpointed,
        ContainerState::kRestoring, ContainerState::kExited, ContainerState::kLost}) {
    EXPECT_EQ(ParseContainerState(Name(state)), state);
  }
  for (const auto state :
       {ReservationState::kActive, ReservationState::kHeld, ReservationState::kReleased}) {
    EXPECT_EQ(ParseReservationState(Name(state)), state);
  }
  EXPECT_EQ(ParseCheckpointState("frozen"), std::nullopt);
}

TEST(States, AContainerThatEndedIsNotLive) {
  EXPECT_TRUE(IsLive(ContainerState::kRestoring));
  EXPECT_FALSE(IsLive(ContainerState::kCheckpointed));
  EXPECT_FALSE(IsLive(ContainerState::kExited));
  EXPECT_FALSE(IsLive(ContainerState::kLost));
}

}  // namespace
}  // namespace crd
