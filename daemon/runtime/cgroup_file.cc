#include "daemon/runtime/cgroup_file.h"

#include <fcntl.h>
#include <unistd.h>

#include "daemon/base/unique_fd.h"

namespace crd::runtime {

Result<void> WriteCgroupFile(const std::string& path, std::string_view value) {
  const UniqueFd file(::open(path.c_str(), O_WRONLY | O_CLOEXEC));
  if (!file.valid()) return Error::Errno("open '{}'", path);
  if (::write(file.get(), value.data(), value.size()) < 0) {
    return Error::Errno("write '{}' to '{}'", value, path);
  }
  return {};
}

}  // namespace crd::runtime
