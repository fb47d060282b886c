#pragma once

#include <string>
#include <vector>

#include <sys/types.h>

#include "daemon/base/result.h"
#include "daemon/runtime/mount_table.h"

namespace crd::runtime {

// A descriptor of a container that leads to a file outside of it: what its runtime was started with
// as standard output, say. CRIU must be told, and gets a descriptor in its place at the restore.
struct OutsideFile {
  pid_t pid = 0;
  int fd = -1;
  std::string key;   // "file[1b:ab3f]", hexadecimal: CRIU's id of it, in images and for inherit
  std::string path;  // on the host
  bool readable = false;
  bool writable = false;
};

// One per key, in the order of `pids`. Processes that end meanwhile are left out. Any thread.
std::vector<OutsideFile> FindOutsideFiles(const std::vector<pid_t>& pids,
                                          const std::vector<MountEntry>& container);

}  // namespace crd::runtime
