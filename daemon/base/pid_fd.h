#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include <sys/types.h>

#include "daemon/base/clock.h"
#include "daemon/base/result.h"
#include "daemon/base/unique_fd.h"

namespace crd {

// What tells one process from every other one that ever had its pid on this boot: proc(5) field 22.
struct ProcessIdentity {
  pid_t pid = 0;
  std::uint64_t start_time = 0;  // clock ticks since boot
  bool operator==(const ProcessIdentity&) const = default;
};

// How a process ended. Neither set: nobody could tell.
struct ExitStatus {
  std::optional<int> code;    // of exit(2), 0..255
  std::optional<int> signal;  // that killed it
  bool operator==(const ExitStatus&) const = default;
  [[nodiscard]] bool known() const { return code.has_value() || signal.has_value(); }

  static ExitStatus FromWait(int wait_status);
};

// One process, safe from pid reuse. Owns a pidfd. Any thread may call the const functions.
class PidFd {
 public:
  // Opens `pid` and reads its start time, in an order that proves both belong to one process.
  // Fails with kNotFound when there is no such process.
  static Result<PidFd> Open(pid_t pid);
  // Opens a process that was recorded earlier; kNotFound when it has gone or its pid is another's.
  static Result<PidFd> Reopen(const ProcessIdentity& identity);
  // Takes a pidfd that was kept elsewhere (systemd's store) for a process that may have ended.
  static PidFd Take(UniqueFd fd, const ProcessIdentity& identity);

  [[nodiscard]] FdRef fd() const { return fd_.ref(); }
  [[nodiscard]] pid_t pid() const { return identity_.pid; }
  [[nodiscard]] const ProcessIdentity& identity() const { return identity_; }

  [[nodiscard]] Result<void> Signal(int signal) const;
  [[nodiscard]] bool HasExited() const;
  // True when the process ended before the deadline (it may still be a zombie).
  [[nodiscard]] bool WaitExit(Deadline deadline) const;
  // The status of a process that has ended: reaps it if it is a child of ours, else asks the kernel
  // (PIDFD_GET_INFO, Linux 6.15: answers once the parent has reaped it, so it is asked until
  // `patience`). Not known on older kernels.
  [[nodiscard]] ExitStatus TakeExitStatus(Deadline patience) const;
  // The same, asked once and without waiting; empty when there is no answer yet.
  [[nodiscard]] std::optional<ExitStatus> TryExitStatus() const;

 private:
  PidFd(UniqueFd fd, const ProcessIdentity& identity) : fd_(std::move(fd)), identity_(identity) {}
  UniqueFd fd_;
  ProcessIdentity identity_;
};

// The start time of a living (or zombie) process; kNotFound when there is none.
Result<std::uint64_t> ReadStartTime(pid_t pid);

// The kernel's random id of this boot, 36 characters.
Result<std::string> ReadBootId();

}  // namespace crd
