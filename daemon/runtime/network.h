#pragma once

#include <string>
#include <vector>

#include <sys/types.h>

#include "daemon/base/result.h"

namespace crd::runtime {

// The network namespace of a process, read from /proc without entering it. Any thread.

// Interfaces that somebody put there: without loopback and what the kernel's tunnel modules put
// into every namespace.
Result<std::vector<std::string>> OwnInterfaces(pid_t pid);
Result<bool> LoopbackIsUp(pid_t pid);

// Pure: of /proc/PID/net/dev.
std::vector<std::string> ParseInterfaces(const std::string& text);

}  // namespace crd::runtime
