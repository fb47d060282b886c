#pragma once

#include <optional>
#include <string_view>

#include "daemon/base/result.h"

namespace crd {

// States of what crd keeps records of, and the only transitions there are. Names on disk and in
// events are the enumerators' in lower case.

enum class CheckpointState { kCreating, kReady, kFailed, kDamaged, kDeleting };

enum class ContainerState { kRunning, kCheckpointing, kCheckpointed, kRestoring, kExited, kLost };

enum class OperationKind { kCheckpoint, kRestore, kDelete };

enum class OperationState { kRunning, kSucceeded, kFailed };

// Of an endpoint's names and addresses: its tree runs with them; they are kept for it; they are
// free.
enum class ReservationState { kActive, kHeld, kReleased };

template <typename State>
struct Transition {
  State from;
  State to;
};

inline constexpr Transition<CheckpointState> kCheckpointTransitions[] = {
    {CheckpointState::kCreating, CheckpointState::kReady},
    {CheckpointState::kCreating, CheckpointState::kFailed},
    {CheckpointState::kReady, CheckpointState::kDamaged},
    {CheckpointState::kReady, CheckpointState::kDeleting},
    {CheckpointState::kFailed, CheckpointState::kDeleting},
    {CheckpointState::kDamaged, CheckpointState::kDeleting},
};

inline constexpr Transition<ContainerState> kContainerTransitions[] = {
    {ContainerState::kRunning, ContainerState::kCheckpointing},
    {ContainerState::kRunning, ContainerState::kExited},
    {ContainerState::kRunning, ContainerState::kLost},
    {ContainerState::kCheckpointing, ContainerState::kCheckpointed},
    {ContainerState::kCheckpointing, ContainerState::kRunning},
    {ContainerState::kCheckpointing, ContainerState::kExited},
    {ContainerState::kCheckpointing, ContainerState::kLost},
    {ContainerState::kRestoring, ContainerState::kRunning},
    {ContainerState::kRestoring, ContainerState::kLost},
};

inline constexpr Transition<OperationState> kOperationTransitions[] = {
    {OperationState::kRunning, OperationState::kSucceeded},
    {OperationState::kRunning, OperationState::kFailed},
};

inline constexpr Transition<ReservationState> kReservationTransitions[] = {
    {ReservationState::kActive, ReservationState::kHeld},
    {ReservationState::kActive, ReservationState::kReleased},
    {ReservationState::kHeld, ReservationState::kActive},
    {ReservationState::kHeld, ReservationState::kReleased},
};

// The one door: changes the state, or says which transition was refused. Staying is no transition.
Result<void> SetState(CheckpointState& state, CheckpointState to);
Result<void> SetState(ContainerState& state, ContainerState to);
Result<void> SetState(OperationState& state, OperationState to);
Result<void> SetState(ReservationState& state, ReservationState to);

// Somebody is there to be signalled, waited for, counted.
constexpr bool IsLive(ContainerState state) {
  return state == ContainerState::kRunning || state == ContainerState::kCheckpointing ||
         state == ContainerState::kRestoring;
}

std::string_view Name(CheckpointState state);
std::string_view Name(ContainerState state);
std::string_view Name(OperationKind kind);
std::string_view Name(OperationState state);
std::string_view Name(ReservationState state);

// The inverse of Name(); empty for a name that this version does not know.
std::optional<CheckpointState> ParseCheckpointState(std::string_view name);
std::optional<ContainerState> ParseContainerState(std::string_view name);
std::optional<OperationKind> ParseOperationKind(std::string_view name);
std::optional<OperationState> ParseOperationState(std::string_view name);
std::optional<ReservationState> ParseReservationState(std::string_view name);

}  // namespace crd
