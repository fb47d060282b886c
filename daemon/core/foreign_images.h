#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "daemon/base/result.h"
#include "daemon/base/unique_fd.h"

namespace crd {

// A directory of images that somebody else wrote, and may still write to: it is believed nothing.
// What counts is only what was copied. Any thread; belongs to one import.
class ForeignImages {
 public:
  // IMAGES_UNREADABLE: no directory, or one with something in it that is no regular file of a plain
  // name (a symbolic link, a FIFO, a directory). Logs of CRIU's and its statistics are left out.
  static Result<ForeignImages> Open(const std::string& path);

  [[nodiscard]] const std::vector<std::string>& names() const { return names_; }
  [[nodiscard]] std::uint64_t bytes() const { return bytes_; }

  // Copies all of it. `on_bytes` is told how much there is so far, and may veto.
  Result<void> CopyTo(FdRef images,
                      const std::function<Result<void>(std::uint64_t)>& on_bytes) const;

 private:
  ForeignImages(std::string path, UniqueFd directory)
      : path_(std::move(path)), directory_(std::move(directory)) {}
  std::string path_;
  UniqueFd directory_;
  std::vector<std::string> names_;
  std::uint64_t bytes_ = 0;
};

}  // namespace crd
