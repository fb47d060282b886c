#include "store/lock_holder.h"

#include <fstream>
#include <sstream>

#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

namespace crd::store {

std::optional<pid_t> LockHolder(const std::string& path) {
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0) return std::nullopt;
  const std::string wanted =
      fmt::format("{:02x}:{:02x}:{}", major(status.st_dev), minor(status.st_dev), status.st_ino);
  std::ifstream locks("/proc/locks");
  for (std::string line; std::getline(locks, line);) {
    // "7: POSIX  ADVISORY  WRITE 1234 fe:00:5678 1073741824 1073742335"
    std::istringstream fields(line);
    std::string number, kind, strength, access, file;
    pid_t pid = 0;
    fields >> number >> kind >> strength >> access >> pid >> file;
    if (fields && kind == "POSIX" && file == wanted && pid > 0) return pid;
  }
  return std::nullopt;
}

}  // namespace crd::store
