#pragma once

#include <string>
#include <vector>

#include "daemon/base/result.h"

namespace crd::runtime {

// The programs that decide which devices a cgroup2 may use (BPF_CGROUP_DEVICE); cgroup v1 has files
// for it. Runtimes load them, nobody keeps their source, and they end with their cgroup: but the
// kernel tells their instructions, which call and refer to nothing outside, and takes them again as
// they are (4.15 to 6.18).

// Instructions of those that the cgroup has, each in hexadecimal digits; an empty text for one that
// the kernel does not show (bpf_jit_harden=2 without CAP_SYSLOG). A kernel without such programs
// has none.
std::vector<std::string> ReadDeviceFilters(const std::string& cgroup);

// Gives a cgroup those of these that it has not, which the kernel verifies. kDataLoss for one that
// was not shown, or is none.
Result<void> SetDeviceFilters(const std::string& cgroup, const std::vector<std::string>& filters);

}  // namespace crd::runtime
