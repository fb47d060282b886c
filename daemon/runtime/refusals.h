#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <sys/types.h>

#include "daemon/base/error.h"
#include "daemon/runtime/container.h"

// The catalogue's part for OCI containers: codes, names (Error::reason, stable) and sentences of
// what stands in the way of finding, dumping or restoring one are here and nowhere else. Pure.
namespace crd::runtime::refusal {

// Finding. `why` is what is wrong with the file.
Error StateUnreadable(std::string_view path, const Error& why);
Error BundleUnreadable(std::string_view id, std::string_view path, const Error& why);
Error TwoRuntimes(std::string_view key, const std::vector<std::string>& states);
Error DescriptionWrong(std::string_view id, std::string_view what);
Error NotRunning(const RuntimeState& state, Status status);

// Dumping: what crd cannot take along (yet).
Error EngineWouldClean(std::string_view id, std::string_view engine);
Error LinkRemapUnsupported(const RuntimeState& state);
// `type` as config.json calls it; `joined` by a path, else one of its own or the host's.
Error NamespaceUnsupported(const RuntimeState& state, std::string_view type, bool joined);
// Joined by a path, beside a user namespace.
Error BesideUserNamespace(const RuntimeState& state, std::string_view type);
// It has joined its network by a path, beside a user namespace. Addresses as OpenSocket has them.
Error ConnectionBesideUserNamespace(std::string_view id, std::string_view local,
                                    std::string_view peer);
// Its network is to be saved by CRIU.
Error NetworkOfUsersByCriu(std::string_view id);
// CRIU cannot make its cgroup namespace.
Error CgroupNamespaceWithoutNobody(const RuntimeState& state);
Error CgroupNamespaceWithoutPids(const RuntimeState& state);
Error MountUnsupported(std::string_view mountpoint, std::string_view type);
// Cgroups within its own, and processes outside of it.
Error CgroupFrozenInside(std::string_view id, std::string_view directory);
Error CgroupOfThreads(std::string_view id, std::string_view directory);
Error CgroupElsewhere(std::string_view id, pid_t pid, std::string_view path);
Error NoCgroup(const RuntimeState& state);
Error ExecedProcess(const RuntimeState& state, pid_t pid, std::string_view command);

// Dumping: the writable layer.
Error RootfsNotOverlay(std::string_view id, std::string_view type);
// `path`: of the overlay's upper directory.
Error RootfsLayerUnusable(std::string_view id, std::string_view path, const Error& why);
Error RootfsBaseUnusable(std::string_view id, std::string_view base, const Error& why);
Error RootfsNameReserved(std::string_view path);

// Importing. `words`: the runtime's own.
Error RuntimeFailed(Kind kind, std::string_view what, std::string_view words);

// Restoring.
Error RuntimeNameTaken(Kind kind, std::string_view id, std::string_view state_path);
Error RuntimeForgot(std::string_view id, std::string_view state_path);
Error StillRuns(const RuntimeState& state);
Error CgroupGone(std::string_view id, std::string_view directory);
// `directory`: of a cgroup that cannot be made anew, with its limits.
Error CgroupUnusable(std::string_view id, std::string_view directory, const Error& why);
Error CgroupManaged(std::string_view id);
Error CgroupBusy(std::string_view id, std::string_view directory, pid_t pid);
// `bundle`: the one that it is to have.
Error IdMapsDiffer(std::string_view id, std::string_view bundle);
Error MountUnknown(std::string_view id, std::string_view destination,
                   const std::vector<std::string>& possible);
Error RootfsDiffFailed(std::string_view id, std::string_view rootfs, const Error& why);
Error RootGone(std::string_view id, std::string_view rootfs, const Error& why);
Error MountSourceGone(std::string_view id, std::string_view mountpoint, std::string_view source);
Error MountpointUnusable(std::string_view id, std::string_view mountpoint, const Error& why);
Error NamespaceGone(std::string_view id, std::string_view type, std::string_view path,
                    const Error& why);

}  // namespace crd::runtime::refusal
