#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <sys/types.h>

#include "daemon/base/error.h"
#include "daemon/runtime/container.h"

// The catalogue's part for OCI containers: codes, names (Error::reason, stable) and sentences of
// what stands in the way of finding, dumping or restoring one are here and nowhere else. Pure.
namespace crd::runtime::refusal {

// Finding. `why` is what is wrong with the file.
Error StateUnreadable(std::string_view path, const Error& why);
Error BundleUnreadable(std::string_view id, std::string_view path, const Error& why);
Error TwoRuntimes(std::string_view key, const std::vector<std::string>& states);
Error NotRunning(const RuntimeState& state, Status status);

}  // namespace crd::runtime::refusal
