#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <sys/resource.h>
#include <sys/types.h>

#include "daemon/base/result.h"
#include "daemon/base/unique_fd.h"

namespace crd {

// How to start a program. Descriptors that are not named here are not inherited.
struct LaunchSpec {
  std::vector<std::string> argv;                   // argv[0] is an absolute path
  std::vector<std::pair<FdRef, int>> descriptors;  // ours -> the number it has in the child
  bool new_session = false;
  // Of cgroup2; invalid: the one of this process. To be born in a cgroup is cheap, to be moved into
  // one waits for a grace period of RCU: 5 to 15 ms (Linux 6.18 without favordynmods).
  FdRef cgroup{-1};
  // Directories of cgroups v1, which nobody can be born in. It moves there by itself, thread by
  // thread, which waits for nothing (5.14); all of its own are one.
  std::vector<FdRef> cgroups_v1;
  // That it enters in this order and starts in, instead of those of this process. None of pids or
  // time: only its children would be in these.
  std::vector<FdRef> namespaces;
};

// Starts a program with a clean signal mask, default handlers, the given RLIMIT_NOFILE if there is
// one, and the environment of this process less what systemd and CRIU would take as orders. All of
// that holds at its first instruction. posix_spawn(3) can do neither limits nor, before glibc 2.39,
// cgroups. Returns when the program runs, or with execve(2)'s reason why it does not; then nothing
// of it is left. The child is the caller's to reap. Thread-safe.
Result<pid_t> Spawn(const LaunchSpec& spec, const std::optional<rlimit>& descriptor_limit);

}  // namespace crd
