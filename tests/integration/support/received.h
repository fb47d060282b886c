#pragma once

#include <optional>
#include <string>
#include <vector>

#include "daemon/base/unique_fd.h"

namespace crd::testing {

// A message of a unix socket, with the descriptors that came along.
struct Received {
  std::string text;
  std::vector<UniqueFd> fds;
};

// The next one, std::nullopt if that fails; waits unless the socket does not block.
std::optional<Received> Receive(FdRef socket);

}  // namespace crd::testing
