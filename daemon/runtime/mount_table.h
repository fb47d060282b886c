#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <sys/types.h>

#include "daemon/base/result.h"

namespace crd::runtime {

// One line of mountinfo (proc(5)).
struct MountEntry {
  int id = 0;
  int parent = 0;
  dev_t device = 0;
  std::string root;        // of the mount within its file system
  std::string mountpoint;  // relative to the root of the process whose mountinfo it is
  bool read_only = false;
  bool nosuid = false;
  bool nodev = false;
  bool noexec = false;
  bool propagates = false;  // shares mounts with others, or receives theirs
  std::string type;
  std::string source;
  std::string super_options;
};

// In the kernel's order: a mount comes after the one that it is on. Lines that are none are
// skipped.
std::vector<MountEntry> ParseMountTable(std::string_view text);
// The value of one of a file system's options, "" if it has none; and whether it is among them.
std::string FindOption(const std::string& super_options, std::string_view name);
bool HasOption(const std::string& super_options, std::string_view name);
// That of a process (0: of crd itself). Any thread.
Result<std::vector<MountEntry>> ReadMountTable(pid_t pid);

}  // namespace crd::runtime
