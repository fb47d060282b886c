#pragma once

#include <string>

#include <nlohmann/json_fwd.hpp>
#include <sys/types.h>

#include "daemon/base/result.h"

namespace crd {

// A socket of a tree, but for those that are of this host alone (unix, netlink), as it was when the
// tree was looked at.
struct OpenSocket {
  std::string protocol;  // "tcp", "udp", "packet"; others by their number
  std::string local;     // "10.77.0.5:80", "[fd77::5]:80"; empty: no address
  std::string peer;      // empty: not connected
  std::string state;     // of TCP: "established", "listen", "close-wait", …
  pid_t pid = 0;         // the first process that has it, root first
  int fd = -1;           // there
  bool operator==(const OpenSocket&) const = default;
};

nlohmann::json ToJson(const OpenSocket& socket);
Result<OpenSocket> OpenSocketFromJson(const nlohmann::json& object);

}  // namespace crd
