#pragma once

#include <csignal>
#include <cstdlib>
#include <functional>
#include <vector>

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "daemon/base/unique_fd.h"

namespace crd::testing {

// The pipe by which a TestProcess says that it is ready; -1 elsewhere.
inline int ready_pipe = -1;

// A forked process that ends with whoever forked it.
inline pid_t ForkDying() {
  const pid_t parent = ::getpid();
  const pid_t child = ::fork();
  if (child == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (::getppid() != parent) ::_exit(0);
    if (ready_pipe >= 0) ::close(ready_pipe);
  }
  return child;
}

[[noreturn]] inline void SleepForEver() {
  for (;;) ::pause();
}

// Puts this process into a session whose leader is in its pid namespace, where it is in none: tests
// that are started from outside of the namespace (unshare --pid) have the session id 0, and so
// would every tree that leads no session of its own.
inline void EnsureSession() {
  if (::getsid(0) == 0) ::setsid();
}

// A fork of the test that does something and then sleeps until this goes out of scope. Leads its
// own session, has no descriptors but 0, 1 and 2, and those are /dev/null unless they are given.
class TestProcess {
 public:
  struct Options {
    bool new_session = true;
    int stdin_fd = -1;
    int stdout_fd = -1;
    std::vector<int> keep = {};  // descriptors that it inherits, under their numbers
  };

  // Returns once `body` has run; a body that calls _exit() makes pid() 0. Processes that it leaves
  // behind are forked with ForkDying().
  explicit TestProcess(const std::function<void()>& body = [] {}) : TestProcess(Options{}, body) {}
  TestProcess(
      const Options& options, const std::function<void()>& body = [] {}) {
    int ready[2];
    if (::pipe2(ready, O_CLOEXEC) != 0) std::abort();
    EnsureSession();
    pid_ = ForkDying();
    if (pid_ == 0) Run(options, body, ready[1]);
    ::close(ready[1]);
    char byte = 0;
    const bool done = ::read(ready[0], &byte, 1) == 1;
    // The other end is closed only afterwards, and must not be seen in the process.
    while (::read(ready[0], &byte, 1) > 0) {
    }
    ::close(ready[0]);
    if (!done) Stop();
  }
  TestProcess(const TestProcess&) = delete;
  TestProcess& operator=(const TestProcess&) = delete;
  ~TestProcess() { Stop(); }

  [[nodiscard]] pid_t pid() const { return pid_; }
  void Kill() const { ::kill(pid_, SIGKILL); }
  void Stop() {
    if (pid_ <= 0) return;
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
    pid_ = 0;
  }

 private:
  [[noreturn]] static void Run(const Options& options, const std::function<void()>& body,
                               int ready) {
    if (options.new_session) ::setsid();
    const int null = ::open("/dev/null", O_RDWR | O_CLOEXEC);
    ::dup2(options.stdin_fd >= 0 ? options.stdin_fd : null, 0);
    ::dup2(options.stdout_fd >= 0 ? options.stdout_fd : null, 1);
    ::dup2(null, 2);
    for (int fd = 3; fd < 1024; ++fd) {
      bool kept = fd == ready;
      for (const int keep : options.keep) kept |= fd == keep;
      if (!kept) ::close(fd);
    }
    ready_pipe = ready;
    body();
    if (::write(ready, "r", 1) != 1) ::_exit(1);
    ::close(ready);
    SleepForEver();
  }
  pid_t pid_ = 0;
};

// Ends the process it is called in if something that a test needs does not work there.
inline void Must(bool worked) {
  if (!worked) ::_exit(1);
}

}  // namespace crd::testing
