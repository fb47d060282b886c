#pragma once

#include <string>
#include <string_view>

#include "daemon/base/result.h"

namespace crd::runtime {

// Sets a file of a cgroup, which must be there: the kernel takes each write(2) for a whole value.
// Any thread.
Result<void> WriteCgroupFile(const std::string& path, std::string_view value);

}  // namespace crd::runtime
