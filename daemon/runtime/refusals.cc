#include "daemon/runtime/refusals.h"

#include <fmt/ranges.h>

namespace crd::runtime {

std::string_view StatusName(Status status) {
  switch (status) {
    case Status::kCreated:
      return "created";
    case Status::kRunning:
      return "running";
    case Status::kPaused:
      return "paused";
    case Status::kStopped:
      break;
  }
  return "stopped";
}

namespace refusal {

Error StateUnreadable(std::string_view path, const Error& why) {
  if (why.code == Code::kUnimplemented) {
    return {.code = Code::kUnimplemented,
            .reason = "RUNTIME_VERSION_UNKNOWN",
            .message = fmt::format("read the runtime's state '{}': {}", path, why.message),
            .hint = "crd knows runc 1.1 and crun 1.8 to 1.21"};
  }
  return {.code = Code::kFailedPrecondition,
          .reason = "RUNTIME_STATE_UNREADABLE",
          .message = fmt::format("read the runtime's state '{}': {}", path, why.message),
          .hint = "crd understands the state of runc 1.1 and of crun 1.8 to 1.21",
          .sys_errno = why.sys_errno};
}

Error BundleUnreadable(std::string_view id, std::string_view path, const Error& why) {
  return {.code = Code::kFailedPrecondition,
          .reason = "BUNDLE_UNREADABLE",
          .message = fmt::format("read '{}' of container '{}': {}", path, id, why.message),
          .hint =
              "a container is described by its bundle's config.json: put it back as it was "
              "when the container was created",
          .sys_errno = why.sys_errno};
}

Error TwoRuntimes(std::string_view key, const std::vector<std::string>& states) {
  return {
      .code = Code::kInvalidArgument,
      .reason = "RUNTIME_AMBIGUOUS",
      .message = fmt::format("'{}' fits more than one container: {}", key, fmt::join(states, ", ")),
      .hint = "give the whole id, and say which runtime"};
}

Error DescriptionWrong(std::string_view id, std::string_view what) {
  return {.code = Code::kInvalidArgument,
          .reason = "DESCRIPTION_WRONG",
          .message = fmt::format("container '{}' is not as it was described: {}", id, what),
          .hint = "describe it as its runtime knows it, or let crd look for it by its id"};
}

Error NotRunning(const RuntimeState& state, Status status) {
  return {.code = Code::kFailedPrecondition,
          .reason = "CONTAINER_NOT_RUNNING",
          .message = fmt::format("{} container '{}' is {}", KindName(state.kind), state.id,
                                 StatusName(status)),
          .hint = status == Status::kPaused
                      ? fmt::format("resume it: {} resume {}", KindName(state.kind), state.id)
                      : "only a running container can be checkpointed"};
}

Error EngineWouldClean(std::string_view id, std::string_view engine) {
  return {.code = Code::kFailedPrecondition,
          .reason = "ENGINE_WOULD_CLEAN",
          .message = fmt::format(
              "container '{0}' is {1}'s: when it ends, {1} takes down its root file system and its "
              "network, addresses included, and calls it exited. It can be restored only where "
              "somebody has made them again",
              id, engine),
          .hint =
              "checkpoint it with --leave-running, or with the engine's own command; --force "
              "ends it all the same"};
}

Error LinkRemapUnsupported(const RuntimeState& state) {
  return {
      .code = Code::kFailedPrecondition,
      .reason = "LINK_REMAP_UNSUPPORTED",
      .message = fmt::format("names for deleted files cannot be kept in container '{}'", state.id),
      .hint = "crd cannot do this in a container's own mounts yet: leave link_remap out"};
}

Error NamespaceUnsupported(const RuntimeState& state, std::string_view type, bool joined) {
  return {.code = Code::kFailedPrecondition,
          .reason = "CONTAINER_NAMESPACE",
          .message = fmt::format("container '{}' {} {} namespace{}", state.id,
                                 type == "mount" && !joined ? "shares the host's" : "has a", type,
                                 joined ? " that it joined by a path" : ""),
          .hint =
              "crd checkpoints containers with a mount namespace of their own, and joined by a "
              "path only what CRIU can join, which a user namespace is not"};
}

Error BesideUserNamespace(const RuntimeState& state, std::string_view type) {
  return {.code = Code::kFailedPrecondition,
          .reason = "CONTAINER_NAMESPACE",
          .message = fmt::format("container '{}' has a user namespace, and a {} namespace that it "
                                 "joined by a path",
                                 state.id, type),
          .hint =
              "CRIU restores beside a user namespace only what belongs to that: run it without, or "
              "without a user namespace"};
}

Error ConnectionBesideUserNamespace(std::string_view id, std::string_view local,
                                    std::string_view peer) {
  return {.code = Code::kFailedPrecondition,
          .reason = "CONTAINER_NAMESPACE",
          .message = fmt::format("container '{}' has a connection from {} to {}, but its network "
                                 "namespace does not belong to its user namespace",
                                 id, local, peer),
          .hint =
              "root of the user namespace may restore no connections in there (Linux: "
              "TCP_REPAIR): have it closed first"};
}

Error NetworkOfUsersByCriu(std::string_view id) {
  return {.code = Code::kFailedPrecondition,
          .reason = "CONTAINER_NAMESPACE",
          .message = fmt::format("container '{}' has a user namespace: CRIU (4.2) cannot make the "
                                 "interfaces that it saves of one again",
                                 id),
          .hint = "leave --network criu out: crd makes them"};
}

Error CgroupNamespaceWithoutNobody(const RuntimeState& state) {
  return {.code = Code::kFailedPrecondition,
          .reason = "CONTAINER_NAMESPACE",
          .message = fmt::format("container '{}' has a cgroup namespace, and a user namespace in "
                                 "which user or group 65534 does not exist",
                                 state.id),
          .hint =
              "CRIU (4.2) goes by that id when it makes the one in the other: let uidMappings and "
              "gidMappings have it, as those of 65536 ids do"};
}

Error CgroupNamespaceWithoutPids(const RuntimeState& state) {
  return {.code = Code::kFailedPrecondition,
          .reason = "CONTAINER_NAMESPACE",
          .message = fmt::format("container '{}' has a user namespace and a cgroup namespace, but "
                                 "neither a pid namespace nor a cgroup2 of its own",
                                 state.id),
          .hint = "crd could not end a restore of it that fails half-way: give it one of these"};
}

Error MountUnsupported(std::string_view mountpoint, std::string_view type) {
  return {.code = Code::kFailedPrecondition,
          .reason = "MOUNT_UNSUPPORTED",
          .message = fmt::format("find where the mount '{}' ({}) comes from: neither config.json "
                                 "nor the host's mounts show it",
                                 mountpoint, type),
          .hint = "unmount it in the container, or let config.json mount it"};
}

namespace {

Error NestedCgroup(std::string message, std::string hint) {
  return {.code = Code::kFailedPrecondition,
          .reason = "NESTED_CGROUPS",
          .message = std::move(message),
          .hint = std::move(hint)};
}

}  // namespace

Error CgroupFrozenInside(std::string_view id, std::string_view directory) {
  return NestedCgroup(
      fmt::format("container '{}' has a cgroup of its own that is frozen: '{}'", id, directory),
      "what is in it could not be dumped: thaw it");
}

Error CgroupOfThreads(std::string_view id, std::string_view directory) {
  return NestedCgroup(fmt::format("container '{}' has a cgroup of its own with single threads of "
                                  "processes in it: '{}'",
                                  id, directory),
                      "crd moves whole processes: put all threads of each into one cgroup");
}

Error CgroupElsewhere(std::string_view id, pid_t pid, std::string_view path) {
  return NestedCgroup(fmt::format("process {} of container '{}' is in cgroup '{}', which is not "
                                  "within the container's own",
                                  pid, id, path),
                      "move it there, or name the runtime's state with the container");
}

Error NoCgroup(const RuntimeState& state) {
  return {
      .code = Code::kFailedPrecondition,
      .reason = "NO_CGROUP",
      .message = fmt::format("container '{}' has no cgroup of its own that crd can see", state.id),
      .hint = "run it with cgroups, and crd where they are mounted"};
}

Error ExecedProcess(const RuntimeState& state, pid_t pid, std::string_view command) {
  return {.code = Code::kFailedPrecondition,
          .reason = "EXECED_PROCESS",
          .message = fmt::format("process {} ({}) was started in container '{}' from outside", pid,
                                 command, state.id),
          .hint = "it is not part of the container's tree and would be lost: end it first"};
}

Error RootfsNotOverlay(std::string_view id, std::string_view type) {
  return {
      .code = Code::kFailedPrecondition,
      .reason = "ROOTFS_NOT_OVERLAY",
      .message = fmt::format("tell what changed in the root of container '{}': it is no overlay "
                             "({})",
                             id, type),
      .hint =
          "say what it was made of: --rootfs-diff=DIR, with a directory that holds the root as "
          "it was"};
}

Error RootfsLayerUnusable(std::string_view id, std::string_view path, const Error& why) {
  return {.code = Code::kFailedPrecondition,
          .reason = "ROOTFS_LAYER_UNUSABLE",
          .message = fmt::format("use the upper directory '{}' of the root of container '{}': {}",
                                 path, id, why.message),
          .hint =
              "say what the root was made of: --rootfs-diff=DIR, with a directory that holds it as "
              "it was",
          .sys_errno = why.sys_errno};
}

Error RootfsBaseUnusable(std::string_view id, std::string_view base, const Error& why) {
  return {.code = Code::kFailedPrecondition,
          .reason = "ROOTFS_BASE_UNUSABLE",
          .message = fmt::format("compare the root of container '{}' with '{}': {}", id, base,
                                 why.message),
          .hint = "give a directory that holds the root as it was before the container ran",
          .sys_errno = why.sys_errno};
}

Error RootfsNameReserved(std::string_view path) {
  return {.code = Code::kFailedPrecondition,
          .reason = "ROOTFS_NAME_RESERVED",
          .message = fmt::format("save '{}' of the root: in a layer, \".wh.\" begins the names of "
                                 "what was deleted",
                                 path),
          .hint = "rename it, or leave --rootfs-diff out"};
}

Error RuntimeFailed(Kind kind, std::string_view what, std::string_view words) {
  return {.code = Code::kFailedPrecondition,
          .reason = "RUNTIME_FAILED",
          .message = fmt::format("{} {}: {}", KindName(kind), what, words),
          .hint =
              "the container is made of its bundle by its runtime, which must be able to: give "
              "an id that is free, and the bundle that the images were made of"};
}

Error RuntimeNameTaken(Kind kind, std::string_view id, std::string_view state_path) {
  return {
      .code = Code::kAlreadyExists,
      .reason = "RUNTIME_NAME_TAKEN",
      .message = fmt::format("restore as {} container '{}': there is one already ('{}')",
                             KindName(kind), id, state_path),
      .hint = fmt::format("choose another --name, or remove it: {} delete {}", KindName(kind), id)};
}

Error RuntimeForgot(std::string_view id, std::string_view state_path) {
  return {
      .code = Code::kFailedPrecondition,
      .reason = "RUNTIME_FORGOT_CONTAINER",
      .message = fmt::format("restore container '{}': its runtime does not know it any more, "
                             "there is no '{}'",
                             id, state_path),
      .hint = "it was deleted after a checkpoint that does not hold what its runtime knew of it"};
}

Error StillRuns(const RuntimeState& state) {
  return {.code = Code::kFailedPrecondition,
          .reason = "CONTAINER_STILL_RUNS",
          .message = fmt::format("restore {} container '{}': it runs, as process {}",
                                 KindName(state.kind), state.id, state.pid),
          .hint = fmt::format("end it first: {} kill {} KILL", KindName(state.kind), state.id)};
}

Error CgroupGone(std::string_view id, std::string_view directory) {
  return {.code = Code::kFailedPrecondition,
          .reason = "CGROUP_GONE",
          .message = fmt::format("restore container '{}': its cgroup '{}' is not there any more",
                                 id, directory),
          .hint =
              "systemd made it, as a unit that ended with the container: let the engine create it "
              "again"};
}

Error CgroupUnusable(std::string_view id, std::string_view directory, const Error& why) {
  return {
      .code = why.code,
      .reason = "CGROUP_UNUSABLE",
      .message = fmt::format("make cgroup '{}' of container '{}': {}", directory, id, why.message),
      .hint =
          "without its limits the container is not let run: look whether the cgroup above "
          "it allows them, or choose another with --cgroup-parent",
      .sys_errno = why.sys_errno};
}

Error CgroupManaged(std::string_view id) {
  return {.code = Code::kFailedPrecondition,
          .reason = "CGROUP_MANAGED",
          .message = fmt::format("container '{}' cannot get such cgroups: systemd made those that "
                                 "it had, as a scope of its own",
                                 id),
          .hint =
              "name a slice with --cgroup-parent, as /machine.slice; and give it another name only "
              "if the scope's ends with that, with a dash in it for runc"};
}

Error CgroupBusy(std::string_view id, std::string_view directory, pid_t pid) {
  return {.code = Code::kFailedPrecondition,
          .reason = "CGROUP_BUSY",
          .message = fmt::format("restore container '{}': process {} is in its cgroup '{}'", id,
                                 pid, directory),
          .hint = "end that process first"};
}

Error IdMapsDiffer(std::string_view id, std::string_view bundle) {
  return {.code = Code::kFailedPrecondition,
          .reason = "ID_MAPPINGS_DIFFER",
          .message = fmt::format("restore container '{}' into bundle '{}': its user namespace maps "
                                 "other ids, and those of the checkpoint are in its images",
                                 id, bundle),
          .hint =
              "let its config.json have the user namespace, uidMappings and gidMappings that "
              "the container had at the checkpoint"};
}

Error MountUnknown(std::string_view id, std::string_view destination,
                   const std::vector<std::string>& possible) {
  return {.code = Code::kInvalidArgument,
          .reason = "MOUNT_UNKNOWN",
          .message = fmt::format("container '{}' had nothing of the host's mounted on '{}'", id,
                                 destination),
          .hint = possible.empty() ? "leave --mount out"
                                   : fmt::format("what it had: {}", fmt::join(possible, ", "))};
}

Error RootfsDiffFailed(std::string_view id, std::string_view rootfs, const Error& why) {
  return {.code = why.code,
          .reason = "ROOTFS_DIFF_FAILED",
          .message = fmt::format("lay down the writable layer of container '{}' in '{}': {}", id,
                                 rootfs, why.message),
          .hint = "a part of it may be there: make the root anew, or lay it down again",
          .sys_errno = why.sys_errno};
}

Error RootGone(std::string_view id, std::string_view rootfs, const Error& why) {
  return {
      .code = Code::kFailedPrecondition,
      .reason = "ROOTFS_GONE",
      .message = fmt::format("use '{}' as the root of container '{}': {}", rootfs, id, why.message),
      .hint = "put (or mount) the root file system back where it was at the checkpoint",
      .sys_errno = why.sys_errno};
}

Error MountSourceGone(std::string_view id, std::string_view mountpoint, std::string_view source) {
  return {.code = Code::kFailedPrecondition,
          .reason = "MOUNT_SOURCE_GONE",
          .message = fmt::format("restore container '{}': '{}', which is mounted on '{}', is not "
                                 "there",
                                 id, source, mountpoint),
          .hint = "put it back where it was at the checkpoint"};
}

Error MountpointUnusable(std::string_view id, std::string_view mountpoint, const Error& why) {
  return {.code = Code::kFailedPrecondition,
          .reason = "MOUNTPOINT_UNUSABLE",
          .message = fmt::format("make mountpoint '{}' of container '{}': {}", mountpoint, id,
                                 why.message),
          .hint = "its root file system has changed since the checkpoint: put back what was there",
          .sys_errno = why.sys_errno};
}

Error NamespaceGone(std::string_view id, std::string_view type, std::string_view path,
                    const Error& why) {
  return {.code = Code::kFailedPrecondition,
          .reason = "NAMESPACE_GONE",
          .message = fmt::format("open {} namespace '{}', which container '{}' had joined: {}",
                                 type, path, id, why.message),
          .hint = "bring back what it was shared with",
          .sys_errno = why.sys_errno};
}

}  // namespace refusal
}  // namespace crd::runtime
