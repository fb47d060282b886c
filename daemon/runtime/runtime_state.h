#pragma once

#include <string>
#include <string_view>

#include "daemon/base/pid_fd.h"
#include "daemon/base/result.h"
#include "daemon/runtime/container.h"

namespace crd::runtime {

// Reading and rewriting of the runtimes' state files: runc's `state.json` (libcontainer's State; as
// of runc 1.1.15) and crun's `status` (as of crun 1.21). Pure.

// `id` is the name of the directory that it lies in. kDataLoss for what is no such state.
Result<RuntimeState> ParseState(Kind kind, std::string_view id, std::string_view text);

// The same state with another process as the container's init: its pid, its start time, and, in
// runc's, the paths of its namespaces, which `runc exec` enters. Everything else stays as it is,
// also what crd does not know.
Result<std::string> WithProcess(Kind kind, std::string_view text, const ProcessIdentity& process);

}  // namespace crd::runtime
