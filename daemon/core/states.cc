#include "daemon/core/states.h"

#include <iterator>

namespace crd {
namespace {

template <typename State, std::size_t N>
Result<void> Apply(const Transition<State> (&table)[N], std::string_view subject, State& state,
                   State to) {
  for (const Transition<State>& row : table) {
    if (row.from == state && row.to == to) {
      state = to;
      return {};
    }
  }
  return Error::Internal("a {} that is {} cannot become {}", subject, Name(state), Name(to));
}

template <typename E, std::size_t N>
std::optional<E> Parse(const E (&all)[N], std::string_view name) {
  for (const E one : all) {
    if (Name(one) == name) return one;
  }
  return std::nullopt;
}

}  // namespace

Result<void> SetState(CheckpointState& state, CheckpointState to) {
  return Apply(kCheckpointTransitions, "checkpoint", state, to);
}
Result<void> SetState(ContainerState& state, ContainerState to) {
  return Apply(kContainerTransitions, "container", state, to);
}
Result<void> SetState(OperationState& state, OperationState to) {
  return Apply(kOperationTransitions, "operation", state, to);
}
Result<void> SetState(ReservationState& state, ReservationState to) {
  return Apply(kReservationTransitions, "reservation", state, to);
}

std::string_view Name(CheckpointState state) {
  switch (state) {
    case CheckpointState::kCreating:
      return "creating";
    case CheckpointState::kReady:
      return "ready";
    case CheckpointState::kFailed:
      return "failed";
    case CheckpointState::kDamaged:
      return "damaged";
    case CheckpointState::kDeleting:
      return "deleting";
  }
  return "unknown";
}

std::string_view Name(ContainerState state) {
  switch (state) {
    case ContainerState::kRunning:
      return "running";
    case ContainerState::kCheckpointing:
      return "checkpointing";
    case ContainerState::kCheckpointed:
      return "checkpointed";
    case ContainerState::kRestoring:
      return "restoring";
    case ContainerState::kExited:
      return "exited";
    case ContainerState::kLost:
      return "lost";
  }
  return "unknown";
}

std::string_view Name(OperationKind kind) {
  switch (kind) {
    case OperationKind::kCheckpoint:
      return "checkpoint";
    case OperationKind::kRestore:
      return "restore";
    case OperationKind::kDelete:
      return "delete";
  }
  return "unknown";
}

std::string_view Name(OperationState state) {
  switch (state) {
    case OperationState::kRunning:
      return "running";
    case OperationState::kSucceeded:
      return "succeeded";
    case OperationState::kFailed:
      return "failed";
  }
  return "unknown";
}

std::string_view Name(ReservationState state) {
  switch (state) {
    case ReservationState::kActive:
      return "active";
    case ReservationState::kHeld:
      return "held";
    case ReservationState::kReleased:
      return "released";
  }
  return "unknown";
}

std::optional<CheckpointState> ParseCheckpointState(std::string_view name) {
  using enum CheckpointState;
  static constexpr CheckpointState kAll[] = {kCreating, kReady, kFailed, kDamaged, kDeleting};
  return Parse(kAll, name);
}

std::optional<ContainerState> ParseContainerState(std::string_view name) {
  using enum ContainerState;
  static constexpr ContainerState kAll[] = {kRunning,   kCheckpointing, kCheckpointed,
                                            kRestoring, kExited,        kLost};
  return Parse(kAll, name);
}

std::optional<OperationKind> ParseOperationKind(std::string_view name) {
  using enum OperationKind;
  static constexpr OperationKind kAll[] = {kCheckpoint, kRestore, kDelete};
  return Parse(kAll, name);
}

std::optional<OperationState> ParseOperationState(std::string_view name) {
  using enum OperationState;
  static constexpr OperationState kAll[] = {kRunning, kSucceeded, kFailed};
  return Parse(kAll, name);
}

std::optional<ReservationState> ParseReservationState(std::string_view name) {
  using enum ReservationState;
  static constexpr ReservationState kAll[] = {kActive, kHeld, kReleased};
  return Parse(kAll, name);
}

}  // namespace crd
