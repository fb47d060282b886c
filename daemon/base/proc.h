#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <sys/types.h>

#include "daemon/base/result.h"
#include "daemon/base/unique_fd.h"

namespace crd::proc {

// Readers of /proc/PID (proc(5); fields as of Linux 5.10 and later). Any thread may call them.
// Everything read here may be out of date by the time it is returned: processes run on. All fail
// with kNotFound when the process (or thread, or descriptor) has gone, at whatever moment it went,
// and with kPermissionDenied where the kernel hides it from us.

// A process's directory in /proc, opened once: it never turns into another process that got the
// same pid; reading through it fails with kNotFound once the process was reaped.
class ProcDir {
 public:
  static Result<ProcDir> Open(pid_t pid);

  [[nodiscard]] pid_t pid() const { return pid_; }
  [[nodiscard]] FdRef fd() const { return fd_.ref(); }
  // A whole file, at most kSmallFileLimit; `name` is relative: "stat", "fdinfo/3".
  [[nodiscard]] Result<std::string> Read(const std::string& name) const;
  // Where a symbolic link points; "exe", "fd/3", "ns/pid".
  [[nodiscard]] Result<std::string> ReadLink(const std::string& name) const;
  // Names of a subdirectory that are numbers, ascending: "fd", "task".
  [[nodiscard]] Result<std::vector<int>> ListNumbers(const std::string& name) const;

 private:
  ProcDir(pid_t pid, UniqueFd fd) : pid_(pid), fd_(std::move(fd)) {}
  pid_t pid_;
  UniqueFd fd_;
};

struct Stat {
  std::string comm;  // at most 15 bytes for programs; longer for some kernel threads
  char state = '?';  // R S D T t Z X I
  pid_t ppid = 0;
  pid_t pgid = 0;
  pid_t sid = 0;
  int tty = 0;  // device number of the controlling terminal in the kernel's encoding; 0: none
  std::uint64_t start_time = 0;  // clock ticks since boot
  bool kernel_thread = false;    // PF_KTHREAD of field 9
};
Result<Stat> ReadStat(const ProcDir& process);

struct Ids {
  uid_t real = 0, effective = 0, saved = 0, filesystem = 0;
  bool operator==(const Ids&) const = default;
};

struct Status {
  pid_t tgid = 0;
  pid_t tracer = 0;  // 0: nobody traces it
  Ids uid;
  Ids gid;
  int threads = 0;
  std::uint64_t pending_signals = 0;  // SigPnd and ShdPnd; bit 0 is signal 1
  std::uint64_t anonymous_bytes = 0;  // RssAnon
  std::uint64_t shared_bytes = 0;     // RssShmem: shared anonymous memory, SysV and tmpfs pages
  std::uint64_t swapped_bytes = 0;    // VmSwap, of private anonymous memory
};
Result<Status> ReadStatus(const ProcDir& process);
// The same of one of its threads.
Result<Status> ReadThreadStatus(const ProcDir& process, pid_t thread);

// Arguments joined by blanks, control characters replaced by '?', at most `limit` bytes; empty for
// kernel threads and zombies.
Result<std::string> ReadCommandLine(const ProcDir& process, std::size_t limit = 256);

// Children of all threads, ascending (CONFIG_PROC_CHILDREN). The kernel promises a complete list
// only for a stopped process: read again until nothing new appears.
Result<std::vector<pid_t>> ReadChildren(const ProcDir& process);

// /proc/PID/fdinfo/N.
struct FdInfo {
  int flags = 0;  // of open(2)
  std::uint64_t position = 0;
  int mount = -1;
  // "lock:" lines as they are, without that word: "1: FLOCK  ADVISORY  WRITE 12 00:1f:33 0 EOF".
  std::vector<std::string> locks;
  // The whole text, for the fields of one kind of descriptor ("Pid:", "tfd:").
  std::string text;
};
Result<FdInfo> ReadFdInfo(const ProcDir& process, int fd);
// The value of "name:" in such a text, without blanks around it.
std::optional<std::string> Field(const std::string& text, std::string_view name);

// One line of /proc/PID/maps that shows a file or a name.
struct Mapping {
  std::uint64_t begin = 0;
  std::uint64_t end = 0;
  bool shared = false;
  dev_t device = 0;
  ino_t inode = 0;
  std::string path;  // as the kernel prints it, " (deleted)" included; "[heap]", "anon_inode:…"
};
// Mappings that have a path, in the order of their addresses; of neighbours with the same path (the
// segments of a library) only the first.
Result<std::vector<Mapping>> ReadNamedMappings(const ProcDir& process);

// An object that a process has mapped shared and that is on no disk: shared anonymous memory, a
// memfd, System V memory, a file of tmpfs (or of another file system without a device).
struct SharedMemory {
  dev_t device = 0;
  ino_t inode = 0;
  std::uint64_t bytes = 0;  // of all its mappings there
};
Result<std::vector<SharedMemory>> ReadSharedMemory(const ProcDir& process);

// The pid that a process has in its own pid namespace: the last of "NSpid:".
Result<pid_t> ReadInnermostPid(pid_t pid);

// Inode of /proc/PID/ns/NAME; 0 where the kernel lacks this kind of namespace.
Result<ino_t> ReadNamespace(const ProcDir& process, const std::string& name);

// Our own copy of a descriptor of another process, close-on-exec (pidfd_getfd, Linux 5.6; needs the
// right to ptrace it). It shares the open file description: close it soon, and change nothing.
// kNotFound when the process or its descriptor has gone.
Result<UniqueFd> CopyDescriptor(FdRef pidfd, int fd);

// All pids there are, ascending.
Result<std::vector<pid_t>> ListProcesses();

}  // namespace crd::proc
