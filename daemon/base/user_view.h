#pragma once

#include <string>

#include "daemon/base/result.h"
#include "daemon/base/unique_fd.h"

namespace crd {

// As /proc/PID/uid_map and gid_map have them: lines of "inside outside count".
struct IdMaps {
  std::string users;
  std::string groups;
  [[nodiscard]] bool empty() const { return users.empty(); }
  bool operator==(const IdMaps&) const = default;
};

// The same directory, as a mount that nobody else sees, in which what belongs to a user of crd's
// belongs to whom that user is in a user namespace with these maps: its root may read what is
// root's. The files stay as they are, and closed to everybody else. Linux 5.12, and a file system
// that has idmapped mounts (ext4, xfs, btrfs; tmpfs since 6.3). Any thread.
Result<UniqueFd> ShowTo(const IdMaps& maps, FdRef directory);

}  // namespace crd
