#include "daemon/base/cgroup_namespace.h"

#include <cerrno>
#include <csignal>

#include <fcntl.h>
#include <linux/sched.h>
#include <sched.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "daemon/base/files.h"

namespace crd {
namespace {

// In the child: nothing but system calls, for other threads may have held locks.
[[noreturn]] void MakeAndWait(const std::vector<UniqueFd>& cgroups, int ready, int go_on) {
  int failed = 0;
  for (const UniqueFd& procs : cgroups) {
    if (failed == 0 && ::write(procs.get(), "0", 1) != 1) failed = errno;
  }
  if (failed == 0 && ::unshare(CLONE_NEWCGROUP) != 0) failed = errno;
  char end = 0;
  if (::write(ready, &failed, sizeof failed) == sizeof failed) {
    static_cast<void>(::read(go_on, &end, 1));
  }
  ::_exit(0);
}

// What the child enters by itself, and the cgroup2 that it is born in.
struct Roots {
  std::vector<UniqueFd> files;
  UniqueFd v2;
};

Result<Roots> OpenRoots(const std::vector<std::string>& cgroups, bool to_be_born_in) {
  Roots roots;
  for (const std::string& cgroup : cgroups) {
    // By threads where that can be (v1): who moves itself so waits for nothing.
    const bool v1 = ::access((cgroup + "/tasks").c_str(), F_OK) == 0;
    if (!v1 && to_be_born_in) {
      roots.v2 = TRY(OpenDirectory(cgroup));
      continue;
    }
    const std::string path = cgroup + (v1 ? "/tasks" : "/cgroup.procs");
    roots.files.emplace_back(::open(path.c_str(), O_WRONLY | O_CLOEXEC));
    if (!roots.files.back().valid()) return Error::Errno("open '{}'", path);
  }
  return roots;
}

// Not fork(): no handlers of libraries are to run.
pid_t Fork(const UniqueFd& v2) {
  clone_args arguments{};
  arguments.exit_signal = SIGCHLD;
  if (v2.valid()) {
    arguments.flags = CLONE_INTO_CGROUP;
    arguments.cgroup = static_cast<__u64>(v2.get());
  }
  return static_cast<pid_t>(::syscall(SYS_clone3, &arguments, sizeof arguments));
}

// Invalid if the child has ended without a word.
Result<UniqueFd> MakeIn(const Roots& roots) {
  int ready[2];
  int go_on[2];
  if (::pipe2(ready, O_CLOEXEC) != 0) return Error::Errno("make a pipe");
  const UniqueFd ready_out(ready[0]);
  UniqueFd ready_in(ready[1]);
  if (::pipe2(go_on, O_CLOEXEC) != 0) return Error::Errno("make a pipe");
  UniqueFd go_on_out(go_on[0]);
  UniqueFd go_on_in(go_on[1]);
  const pid_t child = Fork(roots.v2);
  if (child < 0) return Error::Errno("start a process");
  if (child == 0) {
    ::close(go_on[1]);
    MakeAndWait(roots.files, ready[1], go_on[0]);
  }
  ready_in.reset();
  go_on_out.reset();
  int failed = 0;
  ssize_t got = 0;
  do {
    got = ::read(ready_out.get(), &failed, sizeof failed);
  } while (got < 0 && errno == EINTR);
  UniqueFd made;
  if (got == sizeof failed && failed == 0) {
    const std::string path = fmt::format("/proc/{}/ns/cgroup", child);
    made.reset(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    if (!made.valid()) failed = errno;
  }
  go_on_in.reset();
  // Somebody else may have reaped it already.
  static_cast<void>(::waitpid(child, nullptr, 0));
  if (failed != 0) return Error::FromErrno(failed, "make a cgroup namespace");
  return made;
}

}  // namespace

Result<UniqueFd> MakeCgroupNamespace(const std::vector<std::string>& cgroups) {
  // To be moved into a cgroup2 waits for a grace period, to be born there does not; but who is born
  // in one that was ever killed whole is killed (spawn.cc).
  for (const bool to_be_born_in : {true, false}) {
    UniqueFd made = TRY(MakeIn(TRY(OpenRoots(cgroups, to_be_born_in))));
    if (made.valid()) return made;
  }
  return Error::FromErrno(ECHILD, "make a cgroup namespace");
}

}  // namespace crd
