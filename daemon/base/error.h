#pragma once

#include <cerrno>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <fmt/format.h>

namespace crd {

// The canonical gRPC codes, by value, so that the RPC boundary translates with a cast.
enum class Code : int {
  kOk = 0,
  kCancelled = 1,
  kUnknown = 2,
  kInvalidArgument = 3,
  kDeadlineExceeded = 4,
  kNotFound = 5,
  kAlreadyExists = 6,
  kPermissionDenied = 7,
  kResourceExhausted = 8,
  kFailedPrecondition = 9,
  kAborted = 10,
  kOutOfRange = 11,
  kUnimplemented = 12,
  kInternal = 13,
  kUnavailable = 14,
  kDataLoss = 15,
};

std::string_view CodeName(Code code);

// The code under which a failed system call is best reported to a client.
Code CodeFromErrno(int sys_errno);

// Why something failed, in the words of the person who has to act on it. A value: copy it freely.
//
// `reason` is the stable, upper-case name of a refusal in the catalogue (core/errors.h), or empty
// where a failure has no name of its own. `log_lines` are CRIU's own words, never ours.
struct Error {
  Code code = Code::kUnknown;
  std::string reason;
  std::string message;
  std::string hint;
  std::string stage;
  int sys_errno = 0;
  std::vector<std::string> log_lines;

  // An error of the last failed system call; reads errno before it does anything else.
  template <typename... Args>
  [[nodiscard]] static Error Errno(fmt::format_string<Args...> what, Args&&... args) {
    const int saved = errno;
    return FromErrno(saved, fmt::format(what, std::forward<Args>(args)...));
  }
  [[nodiscard]] static Error FromErrno(int sys_errno, std::string_view what);

  template <typename... Args>
  [[nodiscard]] static Error Internal(fmt::format_string<Args...> what, Args&&... args) {
    return Error{.code = Code::kInternal,
                 .message = fmt::format(what, std::forward<Args>(args)...)};
  }

  // Puts "context: " in front of the message and keeps everything else.
  [[nodiscard]] Error Annotated(std::string_view context) &&;
  [[nodiscard]] Error WithHint(std::string text) &&;
  [[nodiscard]] Error AtStage(std::string_view name) &&;
};

}  // namespace crd
