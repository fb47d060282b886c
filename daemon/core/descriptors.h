#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <sys/types.h>

#include "daemon/base/proc.h"
#include "daemon/base/result.h"
#include "daemon/core/process_tree.h"

namespace crd {

// One descriptor of one process, as its link in /proc/PID/fd shows it.
struct Descriptor {
  enum class Kind {
    kPath,       // something with a path: file, directory, device, FIFO
    kPipe,       // "pipe:[INODE]"
    kSocket,     // "socket:[INODE]"
    kAnonymous,  // "anon_inode:…": eventfd, epoll, io_uring …
    kNamespace,  // "net:[INODE]"
    kOther,
  };
  pid_t pid = 0;
  int fd = -1;
  Kind kind = Kind::kOther;
  std::string link;
  ino_t inode = 0;  // of pipes, sockets and namespaces
  bool readable = false;
  bool writable = false;

  [[nodiscard]] bool standard_stream() const { return fd >= 0 && fd <= 2; }
};

// What a path of the tree really is. Fields of statx(2).
struct FileStatus {
  mode_t mode = 0;
  dev_t device = 0;
  ino_t inode = 0;
  dev_t rdev = 0;
  std::uint64_t links = 0;
  std::uint64_t size_on_disk = 0;  // bytes, as CRIU counts them: blocks * 512
  std::uint64_t mount = 0;         // id of the mount it was opened on (Linux 5.8), else 0
  [[nodiscard]] bool SameFile(const FileStatus& other) const {
    return device == other.device && inode == other.inode;
  }
};

// Parses a link; `inode` is set for pipes, sockets and namespaces.
Descriptor ParseDescriptorLink(std::string link);

// The descriptors of a process, ascending; those that are closed meanwhile are left out. kNotFound
// when the process has gone. Any thread.
Result<std::vector<Descriptor>> ReadDescriptors(const proc::ProcDir& process);

// Follows `name` in a process's /proc directory ("fd/3", "cwd", "map_files/7f00-7f10"). kNotFound
// when it has gone.
Result<FileStatus> ReadFileStatus(const proc::ProcDir& process, const std::string& name);
// Looks a path up as crd sees it. A link in its last component is followed unless the file that is
// looked for is a link itself.
Result<FileStatus> LookUp(const std::string& path, bool is_link);

// One process outside of the tree that has a pipe or socket open.
struct OutsideHolder {
  pid_t pid = 0;
  std::string comm;
  ino_t inode = 0;
  bool readable = false;
  bool writable = false;
  [[nodiscard]] std::string Describe() const;  // "tee (pid 7)"
};

// Looks for pipes and sockets in the descriptor tables of all processes outside of the tree: costs
// about a microsecond per descriptor of the host. Processes that the kernel hides are skipped.
std::vector<OutsideHolder> FindHolders(const ProcessTree& tree, const std::set<ino_t>& pipes,
                                       const std::set<ino_t>& sockets);

}  // namespace crd
