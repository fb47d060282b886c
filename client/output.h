#pragma once

#include <string_view>

#include "daemon/base/unique_fd.h"

namespace crd::client {

// Text to a descriptor that somebody else owns, written at once: nothing is left to be flushed.
// After the first failure nothing more is written; who wants to know asks. One thread at a time.
class Output {
 public:
  explicit Output(FdRef fd) : fd_(fd) {}
  void Write(std::string_view text);
  // The text and a line end.
  void Line(std::string_view text);
  // Why writing failed, as errno; 0 if it did not. EPIPE: the reader has seen enough.
  [[nodiscard]] int failure() const { return failure_; }
  [[nodiscard]] FdRef fd() const { return fd_; }

 private:
  FdRef fd_;
  int failure_ = 0;
};

}  // namespace crd::client
