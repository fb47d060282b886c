#pragma once

#include <string>

#include "daemon/base/result.h"

namespace crd::runtime {

// The programs that decide which devices a cgroup2 may use (BPF_CGROUP_DEVICE); cgroup v1 has files
// for it. Runtimes load them, nobody keeps their source, and they end with their cgroup.

// Whether the cgroup has one. A kernel without such programs has none.
bool HasDeviceFilter(const std::string& cgroup);

// Attaches those of one cgroup to another as well. kNotFound when `from` has gone.
Result<void> CopyDeviceFilter(const std::string& from, const std::string& to);

}  // namespace crd::runtime
