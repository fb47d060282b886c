#pragma once

#include <string>
#include <utility>
#include <vector>

#include "daemon/base/result.h"

namespace crd::runtime {

// Limits of a cgroup, v1 or v2: text by the name of its file. Files that this kernel has and that
// can be read; of a list (io.max, devices.list) all lines.
using CgroupLimits = std::vector<std::pair<std::string, std::string>>;
CgroupLimits ReadLimits(const std::string& directory);

// Makes a cgroup have them. What it has already is not written: some files refuse what they show.
// Fails, naming the file, for a limit that cannot be set: a container is not let out of it.
Result<void> WriteLimits(const std::string& directory, const CgroupLimits& limits);

}  // namespace crd::runtime
