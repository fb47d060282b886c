#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "daemon/base/result.h"
#include "daemon/base/unique_fd.h"

namespace crd::systemd {

// Names of pidfds in systemd's store begin so; what follows is the container's id.
inline constexpr std::string_view kPidFdPrefix = "pidfd.";

struct NamedFd {
  std::string name;
  UniqueFd fd;
};

// What systemd handed over at start: sd_listen_fds(3), in one list whatever it is.
struct InheritedFds {
  std::vector<NamedFd> listeners;     // stream sockets that listen
  std::vector<NamedFd> pidfds;        // kept by an earlier crd; names with their prefix
  std::vector<std::string> unwanted;  // names of what was neither: closed, to be forgotten
};

// Takes LISTEN_FDS out of the environment and owns its descriptors, all close-on-exec from then on.
// Finds nothing the second time, and nothing when the variables are meant for another process. Call
// it from main() before threads exist and before anything else opens descriptors.
[[nodiscard]] Result<InheritedFds> TakeInheritedFds();

}  // namespace crd::systemd
