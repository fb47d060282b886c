#pragma once

#include <mutex>
#include <optional>
#include <set>
#include <utility>

#include <sys/resource.h>
#include <sys/types.h>

#include "daemon/base/pid_fd.h"
#include "daemon/base/result.h"
#include "daemon/base/spawn.h"

namespace crd {

class Children;

// A program that this process started. Killed and reaped when it goes out of scope unless it was
// waited for. Belongs to one thread.
class Child {
 public:
  Child(Child&&) noexcept;
  Child& operator=(Child&&) = delete;
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;
  ~Child();

  [[nodiscard]] pid_t pid() const { return process_.pid(); }
  [[nodiscard]] const PidFd& process() const { return process_; }
  // Waits until it ends, and reaps it; kDeadlineExceeded leaves it running and owned.
  Result<ExitStatus> Wait(Deadline deadline);
  void Kill();
  // Leaves it to itself: it outlives this process, or is reaped as a stranger.
  void LetGo();

 private:
  friend class Children;
  Child(Children& children, PidFd process) : children_(&children), process_(std::move(process)) {}
  Children* children_;  // null once reaped or moved from
  PidFd process_;
};

// Every child of this process: those that were started or adopted on purpose ("owned": somebody
// waits for each by pidfd), and orphans that the kernel handed to us as a subreaper, which nobody
// else will ever reap. Thread-safe.
class Children {
 public:
  Children() = default;
  // `descriptors` is RLIMIT_NOFILE for what is started: this process may have raised its own.
  explicit Children(const rlimit& descriptors) : descriptors_(descriptors) {}

  // Starts a program as Spawn() does, and owns it. The calling thread becomes its parent as far as
  // PR_SET_PDEATHSIG is concerned: call from threads that live as long as the process.
  Result<Child> Launch(const LaunchSpec& spec);

  // Marks a process as owned, so that ReapStrangers() leaves its exit status alone.
  void Adopt(pid_t pid);
  void Disown(pid_t pid);

  // Reaps every zombie that is our child and not owned. Call on SIGCHLD and whenever pids have to
  // be free. Returns how many there were.
  int ReapStrangers();

 private:
  const std::optional<rlimit> descriptors_;
  std::mutex mutex_;
  std::set<pid_t> owned_;
};

}  // namespace crd
