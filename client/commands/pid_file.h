#pragma once

#include <string>
#include <utility>

#include <sys/types.h>

#include "daemon/base/result.h"
#include "daemon/base/unique_fd.h"

namespace crd::client {

// A file that is going to hold a pid. Whoever reads it finds the old content or the whole new one.
class PidFile {
 public:
  // Opens the directory, which must exist and be writable.
  static Result<PidFile> Open(const std::string& path);
  [[nodiscard]] Result<void> Write(pid_t pid) const;

 private:
  PidFile(std::string path, UniqueFd directory, std::string name)
      : path_(std::move(path)), directory_(std::move(directory)), name_(std::move(name)) {}
  std::string path_;
  UniqueFd directory_;
  std::string name_;
};

}  // namespace crd::client
