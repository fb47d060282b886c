#pragma once

#include <optional>
#include <string>

#include <sys/types.h>

namespace crd::store {

// The process that holds a POSIX lock on a file, from /proc/locks (proc(5)). For messages only: on
// file systems whose device numbers differ from stat's (btrfs, overlay) nobody is found. Opens no
// descriptor of the file: closing one would drop the locks that this process has on it.
std::optional<pid_t> LockHolder(const std::string& path);

}  // namespace crd::store
