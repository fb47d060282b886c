#include "daemon/core/errors.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace crd::errors {
namespace {

constexpr double kMiB = 1 << 20;

}  // namespace

Error InvalidName(std::string_view subject, std::string_view name) {
  return {
      .code = Code::kInvalidArgument,
      .reason = "INVALID_NAME",
      .message = fmt::format("'{}' cannot name a {}", name, subject),
      .hint = "use 1 to 64 letters, digits, '.', '_' and '-', beginning with a letter or digit"};
}

Error InvalidRequest(std::string message, std::string hint) {
  return {.code = Code::kInvalidArgument,
          .reason = "INVALID_REQUEST",
          .message = std::move(message),
          .hint = std::move(hint)};
}

Error OptionsContradict(std::string_view one, std::string_view other, std::string hint) {
  return {.code = Code::kInvalidArgument,
          .reason = "OPTIONS_CONTRADICT",
          .message = fmt::format("{} and {} contradict each other", one, other),
          .hint = std::move(hint)};
}

Error RequestIdReused(std::string_view request_id) {
  return {.code = Code::kInvalidArgument,
          .reason = "REQUEST_ID_REUSED",
          .message = fmt::format("request id '{}' was used for another request", request_id),
          .hint = "make a new request id for each request; repeat it only to retry the same one"};
}

Error CheckpointNotFound(std::string_view key) {
  return {.code = Code::kNotFound,
          .reason = "CHECKPOINT_NOT_FOUND",
          .message = fmt::format("no checkpoint has the id or name '{}'", key),
          .hint = "`crctl list --all` shows what there is"};
}

Error ContainerNotFound(std::string_view key) {
  return {.code = Code::kNotFound,
          .reason = "CONTAINER_NOT_FOUND",
          .message = fmt::format("no container has the id or name '{}'", key),
          .hint = "`crctl ps --all` shows what there is"};
}

Error OperationNotFound(std::string_view key) {
  return {.code = Code::kNotFound,
          .reason = "OPERATION_NOT_FOUND",
          .message = fmt::format("no operation has the id '{}'", key),
          .hint = "the oldest operations are dropped after a while"};
}

Error KeyAmbiguous(std::string_view subject, std::string_view key,
                   const std::vector<std::string>& ids) {
  return {.code = Code::kInvalidArgument,
          .reason = "KEY_AMBIGUOUS",
          .message =
              fmt::format("'{}' may mean more than one {}: {}", key, subject, fmt::join(ids, ", ")),
          .hint = "give more digits of the id"};
}

Error CheckpointNotReady(const CheckpointId& id, CheckpointState state, std::string_view problem) {
  return {.code = Code::kFailedPrecondition,
          .reason = "CHECKPOINT_NOT_READY",
          .message = fmt::format("checkpoint {} is {}, not ready{}{}", id, Name(state),
                                 problem.empty() ? "" : ": ", problem),
          .hint = state == CheckpointState::kCreating
                      ? "wait until it is ready"
                      : "remove it with `crctl rm` and make a new one"};
}

Error CheckpointInUse(const CheckpointId& id, const OperationId& operation) {
  return {.code = Code::kFailedPrecondition,
          .reason = "CHECKPOINT_IN_USE",
          .message = fmt::format("checkpoint {} is in use by operation {}", id, operation),
          .hint = "try again when that operation has ended"};
}

Error ContainerEnded(const ContainerId& id, ContainerState state) {
  return {.code = Code::kFailedPrecondition,
          .reason = "CONTAINER_ENDED",
          .message = fmt::format("container {} does not run: it is {}", id, Name(state)),
          .hint = "`crctl ps` shows what runs"};
}

Error ContainerLive(const ContainerId& id, ContainerState state) {
  return {
      .code = Code::kFailedPrecondition,
      .reason = "CONTAINER_LIVE",
      .message = fmt::format("container {} is {}: its record cannot be dropped", id, Name(state)),
      .hint = "end it first, with `crctl kill`"};
}

Error TreeBusy(pid_t pid, const OperationId& operation) {
  return {.code = Code::kAborted,
          .reason = "TREE_BUSY",
          .message = fmt::format("process {} belongs to a tree that operation {} works on", pid,
                                 operation),
          .hint = "try again when that operation has ended"};
}

Error ContainerBusy(std::string_view state_path, const OperationId& operation) {
  return {.code = Code::kAborted,
          .reason = "CONTAINER_BUSY",
          .message =
              fmt::format("operation {} is restoring the container of '{}'", operation, state_path),
          .hint = "wait until it has ended"};
}

Error TooManyOperations(std::size_t limit) {
  return {.code = Code::kResourceExhausted,
          .reason = "TOO_MANY_OPERATIONS",
          .message = fmt::format("{} operations are waiting already", limit),
          .hint = "try again later"};
}

Error ShuttingDown() {
  return {.code = Code::kUnavailable,
          .reason = "SHUTTING_DOWN",
          .message = "crd is stopping and begins nothing new",
          .hint = "try again when it is back"};
}

Error NoRoom(std::uint64_t needed_bytes, std::uint64_t free_bytes, std::string_view directory) {
  return {
      .code = Code::kResourceExhausted,
      .reason = "NO_ROOM",
      .message = fmt::format("the images need about {:.1f} MiB, but '{}' has only {:.1f} MiB free",
                             static_cast<double>(needed_bytes) / kMiB, directory,
                             static_cast<double>(free_bytes) / kMiB),
      .hint = "remove checkpoints with `crctl rm`, or make room on that file system"};
}

Error ImagesUnwritable(std::string_view directory, const Error& why) {
  const bool full = why.code == Code::kResourceExhausted;
  return {.code = why.code,
          .reason = full ? "NO_SPACE" : "IMAGES_UNWRITABLE",
          .message = fmt::format("the images cannot be put into '{}': {}", directory, why.message),
          .hint = full ? "remove checkpoints with `crctl rm`, or make room on that file system"
                       : "look for errors of the disk in the kernel's log: a file system turns "
                         "read-only after some; `mount -o remount,rw` makes it writable again",
          .sys_errno = why.sys_errno};
}

Error ImagesUnreadable(std::string_view directory, const Error& why) {
  return {.code = Code::kFailedPrecondition,
          .reason = "IMAGES_UNREADABLE",
          .message = fmt::format("import the images in '{}': {}", directory, why.message),
          .hint = "give a directory that holds what CRIU has written, and nothing but files",
          .sys_errno = why.sys_errno};
}

Error ImagesIncomplete(std::string_view directory, const Error& why) {
  return {.code = why.code,
          .reason = "IMAGES_INCOMPLETE",
          .message = fmt::format("import the images in '{}': {}", directory, why.message),
          .hint = why.code == Code::kUnimplemented
                      ? why.hint
                      : "they could not be restored: make them again, or copy all of them"};
}

Error ImagesNeedBundle(std::string_view directory) {
  return {.code = Code::kInvalidArgument,
          .reason = "IMAGES_NEED_BUNDLE",
          .message = fmt::format(
              "the images in '{}' are a container's: they have mounts of its own", directory),
          .hint = "say of which bundle they are (--bundle)"};
}

Error ImagesDamaged(const CheckpointId& id, const std::vector<std::string>& damages) {
  return {
      .code = Code::kDataLoss,
      .reason = "IMAGES_DAMAGED",
      .message =
          fmt::format("the images of checkpoint {} are damaged: {}", id, fmt::join(damages, "; ")),
      .hint = "nothing was started; restore another checkpoint, or put the files back from a copy"};
}

Error CriuUnusable(std::string_view path, std::string_view problem) {
  return {
      .code = Code::kFailedPrecondition,
      .reason = "CRIU_UNUSABLE",
      .message = fmt::format("the CRIU at '{}' cannot be used: {}", path, problem),
      .hint =
          "install one that works on this kernel (deploy/setup finds one), or name it with --criu"};
}

Error CannotBeDumped(const std::vector<Obstacle>& obstacles) {
  Error error = obstacles.front().error;
  if (obstacles.size() == 1) return error;
  std::vector<std::string> messages;
  messages.reserve(obstacles.size());
  for (const Obstacle& obstacle : obstacles) messages.push_back(obstacle.error.message);
  error.message =
      fmt::format("{} things are in the way: {}", obstacles.size(), fmt::join(messages, "; "));
  return error;
}

Error PidTaken(pid_t pid, pid_t holder, std::string_view command) {
  return {.code = Code::kFailedPrecondition,
          .reason = "PID_TAKEN",
          .message = pid == holder ? fmt::format("pid {} is taken by '{}'", pid, command)
                                   : fmt::format("pid {} is taken by a thread of process {} ('{}')",
                                                 pid, holder, command),
          .hint = "the tree needs the pids that it had; end that process, or restore elsewhere"};
}

Error PidStillZombie(pid_t pid, pid_t parent, std::string_view parent_command) {
  return {.code = Code::kFailedPrecondition,
          .reason = "PID_STILL_ZOMBIE",
          .message = fmt::format(
              "pid {} is still held by a zombie that its parent {} ('{}') has not reaped", pid,
              parent, parent_command),
          .hint = "make the parent reap it, or end the parent"};
}

Error TreeStillRuns(const CheckpointId& id, pid_t pid) {
  return {.code = Code::kFailedPrecondition,
          .reason = "TREE_STILL_RUNS",
          .message = fmt::format("the tree of checkpoint {} still runs, as pid {}", id, pid),
          .hint = "end it first"};
}

Error TerminalGone(const CheckpointId& id) {
  return {.code = Code::kFailedPrecondition,
          .reason = "TERMINAL_GONE",
          .message = fmt::format("the tree of checkpoint {} was on a terminal and needs one", id),
          .hint = "restore it from a terminal with --inherit-stdio"};
}

Error ConsoleSocketUnusable(std::string_view path, const Error& why) {
  return {
      .code = Code::kFailedPrecondition,
      .reason = "CONSOLE_SOCKET_UNUSABLE",
      .message = fmt::format("the console cannot be handed over at '{}': {}", path, why.message),
      .hint =
          "give the path of a Unix socket that a program listens on which takes consoles, "
          "as for `runc run --console-socket`",
      .sys_errno = why.sys_errno};
}

Error NoConsole(const CheckpointId& id) {
  return {.code = Code::kFailedPrecondition,
          .reason = "NO_CONSOLE",
          .message = fmt::format("checkpoint {} is of no container with a console", id),
          .hint = "leave --console-socket out"};
}

Error ConsoleNotStdio(const CheckpointId& id) {
  return {.code = Code::kFailedPrecondition,
          .reason = "CONSOLE_NOT_STDIO",
          .message = fmt::format("the container of checkpoint {} has a console of its own, which "
                                 "cannot be the caller's terminal",
                                 id),
          .hint = "use --console-socket or --log"};
}

Error RootfsDiffOfTree(pid_t pid) {
  return {.code = Code::kFailedPrecondition,
          .reason = "ROOTFS_DIFF_OF_TREE",
          .message = fmt::format("process {} is no container's, and has no root of its own", pid),
          .hint = "leave --rootfs-diff out: it is for containers of runc and crun"};
}

Error RootfsDiffMissing(std::string_view container) {
  return {
      .code = Code::kFailedPrecondition,
      .reason = "ROOTFS_DIFF_MISSING",
      .message = fmt::format("the checkpoint of container '{}' does not hold what changed in its "
                             "root",
                             container),
      .hint =
          "leave --rootfs-diff out, and give it the root that it had; `crctl checkpoint "
          "--rootfs-diff` makes checkpoints that hold it"};
}

Error NotAContainer(const CheckpointId& id) {
  return {.code = Code::kFailedPrecondition,
          .reason = "NOT_A_CONTAINER",
          .message = fmt::format("checkpoint {} is of a process tree, which has no bundle, mounts "
                                 "or console of its own",
                                 id),
          .hint = "leave --console-socket, --bundle, --mount and --cgroup-parent out"};
}

Error TcpNotAllowed(const CheckpointId& id) {
  return {
      .code = Code::kFailedPrecondition,
      .reason = "TCP_NOT_ALLOWED",
      .message = fmt::format("checkpoint {} was made with --tcp-established", id),
      .hint = "say --tcp-established to bring the connections back, or --tcp-close to close them"};
}

Error NetworkNotItsOwn(const CheckpointId& id) {
  return {.code = Code::kFailedPrecondition,
          .reason = "NETWORK_NOT_ITS_OWN",
          .message = fmt::format(
              "the tree of checkpoint {} had no network namespace of its own: it shared crd's", id),
          .hint = "leave --network out: it comes back to where it was"};
}

Error NetworkEmpty(const CheckpointId& id) {
  return {.code = Code::kFailedPrecondition,
          .reason = "NETWORK_EMPTY",
          .message = fmt::format(
              "the container of checkpoint {} had nothing but loopback in its network namespace, "
              "and can only come back to the same",
              id),
          .hint = "leave --network out, or say none"};
}

Error ScopeUnusable(const std::string& container, const std::string& scope, const Error& why) {
  return {.code = why.code,
          .reason = "SCOPE_UNUSABLE",
          .message = fmt::format("make systemd's scope '{}', which the cgroups of container '{}' "
                                 "are in, again: {}",
                                 scope, container, why.message),
          .hint = fmt::format("`systemctl status {}` may tell more", scope),
          .sys_errno = why.sys_errno};
}

Error NetworkOfUsers(const CheckpointId& id) {
  return {.code = Code::kFailedPrecondition,
          .reason = "NETWORK_OF_USERS",
          .message = fmt::format(
              "the container of checkpoint {} has a user namespace, which comes with a network "
              "namespace of its own: it cannot be put into another",
              id),
          .hint = "leave --network out, or say none"};
}

Error NetworkChanged(pid_t pid) {
  return {.code = Code::kAborted,
          .reason = "NETWORK_CHANGED",
          .message = fmt::format(
              "process {} moved to another network namespace while it was being dumped", pid),
          .hint = "try again"};
}

Error NetworkSavedByCriu(const CheckpointId& id) {
  return {
      .code = Code::kFailedPrecondition,
      .reason = "NETWORK_SAVED_BY_CRIU",
      .message = fmt::format(
          "checkpoint {} was made with --network criu: its images have the network in them", id),
      .hint = "leave --network out, or say criu"};
}

Error NetworkNotSavedByCriu(const CheckpointId& id) {
  return {.code = Code::kFailedPrecondition,
          .reason = "NETWORK_NOT_SAVED_BY_CRIU",
          .message = fmt::format("checkpoint {} was not made with --network criu", id),
          .hint = "leave --network out, or say prepared, none, host or netns=PATH"};
}

Error NetworkNotBuilt(const CheckpointId& id, std::string_view why) {
  return {.code = Code::kFailedPrecondition,
          .reason = "NETWORK_NOT_BUILT",
          .message = fmt::format("change the network of checkpoint {}: {}", id, why),
          .hint = "only what crd builds itself can be changed: leave --map and --new-address out"};
}

Error NetworkChangeUnknown(std::string_view from) {
  return {.code = Code::kNotFound,
          .reason = "NETWORK_CHANGE_UNKNOWN",
          .message = fmt::format("its network has no address, MAC, bridge or end of a veth on the "
                                 "host that is '{}'",
                                 from),
          .hint = "`crctl show` tells what it has"};
}

Error NetworkChangeInvalid(std::string_view from, std::string_view to, std::string_view why) {
  return {.code = Code::kInvalidArgument,
          .reason = "NETWORK_CHANGE_INVALID",
          .message = fmt::format("put '{}' in the place of '{}': {}", to, from, why),
          .hint = "give an address for an address, a MAC for a MAC"};
}

Error ConnectionLosesAddress(std::string_view local, std::string_view peer, pid_t pid) {
  return {.code = Code::kFailedPrecondition,
          .reason = "CONNECTION_LOSES_ADDRESS",
          .message = fmt::format("the connection {} -> {} of process {} would lose its address",
                                 local, peer, pid),
          .hint = "close the connections (--tcp-close), or keep the address"};
}

Error SocketLosesAddress(std::string_view protocol, std::string_view local, pid_t pid) {
  return {.code = Code::kFailedPrecondition,
          .reason = "SOCKET_LOSES_ADDRESS",
          .message = fmt::format("a {} socket of process {} is bound to {}, and would lose its "
                                 "address",
                                 protocol, pid, local),
          .hint = "keep the address; a program that listens on all addresses does not mind"};
}

Error LogUnusable(std::string_view path, const Error& why) {
  return {.code = Code::kFailedPrecondition,
          .reason = "LOG_UNUSABLE",
          .message = fmt::format("the log '{}' cannot be used: {}", path, why.message),
          .hint = "give an absolute path of a file that can be made or appended to",
          .sys_errno = why.sys_errno};
}

Error OutsideFileGone(std::string_view path, const Error& why) {
  return {.code = Code::kFailedPrecondition,
          .reason = "OUTSIDE_FILE_GONE",
          .message = fmt::format("open '{}', which the container had open: {}", path, why.message),
          .hint = "put it back, or say where the output goes with --log or --inherit-stdio",
          .sys_errno = why.sys_errno};
}

Error CallerGone() {
  return {.code = Code::kFailedPrecondition,
          .reason = "CALLER_GONE",
          .message =
              "the caller's descriptors cannot be taken over: it is not there any more, or not a "
              "process that this host can see",
          .hint = "use --inherit-stdio from a process on the same host that waits for the answer"};
}

Error LinkRemapTaken(std::string_view path) {
  return {.code = Code::kFailedPrecondition,
          .reason = "LINK_REMAP_TAKEN",
          .message = fmt::format("a deleted file of the tree has to be called '{}' for the time of "
                                 "the restore, but another file has that name",
                                 path),
          .hint = "try again if another tree is restored there, else move that file away"};
}

Error OperationCancelled(std::string_view stage) {
  return {.code = Code::kCancelled,
          .reason = "OPERATION_CANCELLED",
          .message = fmt::format("cancelled while it was at '{}'; everything was undone", stage),
          .stage = std::string(stage)};
}

Error OperationTimedOut(std::string_view stage) {
  return {.code = Code::kDeadlineExceeded,
          .reason = "OPERATION_TIMED_OUT",
          .message = fmt::format("out of time while it was at '{}'; everything was undone", stage),
          .hint = "allow more time with --timeout, if the stage is one that goes on",
          .stage = std::string(stage)};
}

Error StoppedAt(std::string_view stage, Error failure) {
  Error error;
  if (failure.code == Code::kCancelled) {
    error = OperationCancelled(stage);
  } else if (failure.code == Code::kDeadlineExceeded) {
    error = OperationTimedOut(stage);
  } else {
    return failure;
  }
  error.log_lines = std::move(failure.log_lines);
  return error;
}

Error TreeDidNotEnd(pid_t pid) {
  return {
      .code = Code::kInternal,
      .reason = "TREE_DID_NOT_END",
      .message =
          fmt::format("the checkpoint is ready, but process {} of the tree has not ended", pid),
      .hint =
          "see what holds it (state D, a tracer); the checkpoint can be restored once it is gone"};
}

Error CrdDied(std::string_view stage) {
  return {.code = Code::kAborted,
          .reason = "CRD_DIED",
          .message = fmt::format(
              "crd ended while this operation was at '{}'; it was undone at the next start", stage),
          .stage = std::string(stage)};
}

}  // namespace crd::errors
