#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <sys/types.h>

#include "daemon/base/error.h"
#include "daemon/base/ids.h"
#include "daemon/core/preflight.h"
#include "daemon/core/states.h"

// The catalogue: every refusal that a client can see, by name. Code, wording and hint live here and
// nowhere else (what stands in the way of a dump: obstacles.h; of a network: net/refusals.h); tests
// match on `Error::reason`, which is the function's name in UPPER_SNAKE, and api/README.md lists
// them.
namespace crd::errors {

// What was asked.
Error InvalidName(std::string_view subject, std::string_view name);
Error InvalidRequest(std::string message, std::string hint);
Error OptionsContradict(std::string_view one, std::string_view other, std::string hint);
Error RequestIdReused(std::string_view request_id);

// What it was asked of.
Error CheckpointNotFound(std::string_view key);
Error ContainerNotFound(std::string_view key);
Error OperationNotFound(std::string_view key);
Error KeyAmbiguous(std::string_view subject, std::string_view key,
                   const std::vector<std::string>& ids);
Error CheckpointNotReady(const CheckpointId& id, CheckpointState state, std::string_view problem);
Error CheckpointInUse(const CheckpointId& id, const OperationId& operation);
Error ContainerEnded(const ContainerId& id, ContainerState state);
Error ContainerLive(const ContainerId& id, ContainerState state);

// Two at once.
Error TreeBusy(pid_t pid, const OperationId& operation);
Error ContainerBusy(std::string_view state_path, const OperationId& operation);
Error TooManyOperations(std::size_t limit);
Error ShuttingDown();

// Room and images.
Error NoRoom(std::uint64_t needed_bytes, std::uint64_t free_bytes, std::string_view directory);
// Why they cannot be put into their directory; the code is why's.
Error ImagesUnwritable(std::string_view directory, const Error& why);
// Images of somebody else's, which are to be imported.
Error ImagesUnreadable(std::string_view directory, const Error& why);
Error ImagesIncomplete(std::string_view directory, const Error& why);
Error ImagesNeedBundle(std::string_view directory);
Error ImagesDamaged(const CheckpointId& id, const std::vector<std::string>& damages);

// CRIU and the tree.
Error CriuUnusable(std::string_view path, std::string_view problem);
// One refusal for all that is in the way; with a single obstacle, that one.
Error RootfsDiffOfTree(pid_t pid);
Error CannotBeDumped(const std::vector<Obstacle>& obstacles);

// A restore's conflicts.
Error PidTaken(pid_t pid, pid_t holder, std::string_view command);
Error PidStillZombie(pid_t pid, pid_t parent, std::string_view parent_command);
Error TreeStillRuns(const CheckpointId& id, pid_t pid);
Error TerminalGone(const CheckpointId& id);
Error ConsoleSocketUnusable(std::string_view path, const Error& why);
Error NoConsole(const CheckpointId& id);
Error ConsoleNotStdio(const CheckpointId& id);
Error NotAContainer(const CheckpointId& id);
Error RootfsDiffMissing(std::string_view container);
Error TcpNotAllowed(const CheckpointId& id);
// --network, for a tree that shared the host's network.
Error NetworkNotItsOwn(const CheckpointId& id);
// The same, for a container whose network namespace had nothing but loopback.
Error NetworkEmpty(const CheckpointId& id);
// What has gone with the container cannot be made again.
Error ScopeUnusable(const std::string& container, const std::string& scope, const Error& why);
Error NetworkOfUsers(const CheckpointId& id);
Error NetworkChanged(pid_t pid);
// It was saved by CRIU, or was not: the other one cannot be chosen.
Error NetworkSavedByCriu(const CheckpointId& id);
Error NetworkNotSavedByCriu(const CheckpointId& id);

// --map.
Error NetworkNotBuilt(const CheckpointId& id, std::string_view why);
Error NetworkChangeUnknown(std::string_view from);
Error NetworkChangeInvalid(std::string_view from, std::string_view to, std::string_view why);
Error ConnectionLosesAddress(std::string_view local, std::string_view peer, pid_t pid);
Error SocketLosesAddress(std::string_view protocol, std::string_view local, pid_t pid);
Error LogUnusable(std::string_view path, const Error& why);
Error CallerGone();
Error LinkRemapTaken(std::string_view path);
Error OutsideFileGone(std::string_view path, const Error& why);

// How an operation ended.
Error OperationCancelled(std::string_view stage);
Error OperationTimedOut(std::string_view stage);
// CRIU's failure, told as the cancellation or deadline that was its cause where one was.
Error StoppedAt(std::string_view stage, Error failure);
Error TreeDidNotEnd(pid_t pid);
Error CrdDied(std::string_view stage);

}  // namespace crd::errors
