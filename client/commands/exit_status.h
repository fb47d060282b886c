#pragma once

#include <string>

#include <api/v1/types.pb.h>

#include "daemon/base/result.h"

namespace crd::client {

// How a container ended: "0", "signal KILL", "unknown".
std::string ExitText(const v1::Container& container);

// False while it runs, and after a checkpoint, which is no end of its own.
bool HasEnded(const v1::Container& container);

// What a shell would make of it: the exit code, or 128 + signal. Fails where nobody knows.
Result<int> ShellStatus(const v1::Container& container);

}  // namespace crd::client
