#include "daemon/base/cgroup_namespace.h"

#include <csignal>

#include <fcntl.h>
#include <sched.h>
#include <sys/wait.h>
#include <unistd.h>

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

}  // namespace

Result<UniqueFd> MakeCgroupNamespace(const std::vector<std::string>& cgroups) {
  std::vector<UniqueFd> procs;
  for (const std::string& cgroup : cgroups) {
    // By threads where that can be (v1): who moves itself so waits for nothing.
    const bool v1 = ::access((cgroup + "/tasks").c_str(), F_OK) == 0;
    const std::string path = cgroup + (v1 ? "/tasks" : "/cgroup.procs");
    procs.emplace_back(::open(path.c_str(), O_WRONLY | O_CLOEXEC));
    if (!procs.back().valid()) return Error::Errno("open '{}'", path);
  }
  int ready[2];
  int go_on[2];
  if (::pipe2(ready, O_CLOEXEC) != 0) return Error::Errno("make a pipe");
  const UniqueFd ready_out(ready[0]);
  UniqueFd ready_in(ready[1]);
  if (::pipe2(go_on, O_CLOEXEC) != 0) return Error::Errno("make a pipe");
  UniqueFd go_on_out(go_on[0]);
  UniqueFd go_on_in(go_on[1]);
  // Not fork(): no handlers of libraries are to run.
  const pid_t child = ::_Fork();
  if (child < 0) return Error::Errno("start a process");
  if (child == 0) {
    ::close(go_on[1]);
    MakeAndWait(procs, ready[1], go_on[0]);
  }
  ready_in.reset();
  go_on_out.reset();
  int failed = ECHILD;
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
  if (!made.valid()) return Error::FromErrno(failed, "make a cgroup namespace");
  return made;
}

}  // namespace crd
