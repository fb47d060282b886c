#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <sys/types.h>

#include "daemon/base/pid_fd.h"
#include "daemon/base/proc.h"
#include "daemon/base/result.h"

namespace crd {

// One process as it was when it was looked at.
struct TreeProcess {
  pid_t pid = 0;
  pid_t ppid = 0;
  pid_t pgid = 0;
  pid_t sid = 0;
  char state = '?';              // proc(5): R S D T t Z X I
  std::uint64_t start_time = 0;  // clock ticks since boot
  int threads = 0;
  pid_t tracer = 0;  // of any of its threads; 0: nobody traces it
  int tty = 0;       // controlling terminal, 0: none
  bool kernel_thread = false;
  bool pending_trap = false;  // SIGTRAP waits, blocked, for one of its threads
  std::string comm;
  std::string command_line;  // shortened; empty for a zombie
  proc::Ids uid;
  proc::Ids gid;
  std::uint64_t private_bytes = 0;  // anonymous memory, resident and swapped out
  std::uint64_t shared_bytes = 0;   // resident shared memory, whoever else has it too

  [[nodiscard]] bool zombie() const { return state == 'Z' || state == 'X'; }
  [[nodiscard]] ProcessIdentity identity() const { return {.pid = pid, .start_time = start_time}; }
  // "redis-server (pid 12)": how messages name a process.
  [[nodiscard]] std::string Describe() const;
};

// A process and its descendants: the root first, every parent before its children. Never empty.
class ProcessTree {
 public:
  explicit ProcessTree(std::vector<TreeProcess> processes, std::uint64_t mapped_shared_bytes = 0)
      : processes_(std::move(processes)), mapped_shared_bytes_(mapped_shared_bytes) {}

  [[nodiscard]] const TreeProcess& root() const { return processes_.front(); }
  [[nodiscard]] const std::vector<TreeProcess>& processes() const { return processes_; }
  [[nodiscard]] const TreeProcess* Find(pid_t pid) const;
  [[nodiscard]] bool Contains(pid_t pid) const { return Find(pid) != nullptr; }
  // An upper estimate of what CRIU will write as pages: shared memory once, however many processes
  // have it, and pages of zeros, which CRIU leaves out.
  [[nodiscard]] std::uint64_t MemoryBytes() const;

 private:
  std::vector<TreeProcess> processes_;
  std::uint64_t mapped_shared_bytes_;  // size of all different shared memory that is mapped
};

// Reads one process. kNotFound when there is none.
Result<TreeProcess> ReadProcess(pid_t pid);

// Reads the tree beneath `root` again and again until two readings in a row agree (at most a few
// times: a tree that forks all the time is returned as last seen). Processes that end meanwhile
// are left out. Fails with kNotFound when the root is gone. Any thread.
Result<ProcessTree> ReadProcessTree(pid_t root);

// The parents of `pid`, nearest first, up to pid 1. Any thread.
std::vector<pid_t> ReadAncestors(pid_t pid);

}  // namespace crd
