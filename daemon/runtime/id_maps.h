#pragma once

#include <compare>
#include <cstdint>
#include <string_view>
#include <vector>

#include <sys/types.h>

#include "daemon/base/result.h"

namespace crd::runtime {

// Ids of a user namespace and, as many, those of the host's that they are.
struct IdRange {
  std::uint32_t inside = 0;
  std::uint32_t outside = 0;
  std::uint32_t count = 0;
  auto operator<=>(const IdRange&) const = default;
};

// Who is who in a user namespace; each list in its own order. Values.
struct IdMaps {
  [[nodiscard]] bool empty() const { return users.empty() && groups.empty(); }
  // Whether one of the host's is anybody inside, so that root inside has power over what is theirs.
  [[nodiscard]] bool HasUser(uid_t outside) const;
  [[nodiscard]] bool HasGroup(gid_t outside) const;
  // Whether the id by which a user or group of the host's that is nobody inside is known there
  // (65534, sysctl kernel.overflowuid) is somebody's inside, too.
  [[nodiscard]] bool HasNobody() const;
  // Whom root inside is on the host; -1 if nobody.
  [[nodiscard]] gid_t RootGroup() const;
  bool operator==(const IdMaps&) const = default;

  std::vector<IdRange> users;
  std::vector<IdRange> groups;
};

// /proc/PID/uid_map or gid_map (user_namespaces(7)). kDataLoss. Pure.
Result<std::vector<IdRange>> ParseIdMap(std::string_view text);
// Of the user namespace that a process is in. Any thread.
Result<IdMaps> ReadIdMaps(pid_t pid);

}  // namespace crd::runtime
