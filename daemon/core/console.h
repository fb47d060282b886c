#pragma once

#include <string>

#include "daemon/base/children.h"
#include "daemon/base/result.h"
#include "daemon/base/unique_fd.h"
#include "daemon/core/requests.h"

namespace crd {

// The master of a restored container's console: CRIU makes the terminal anew in the container's own
// devpts, and somebody has to hold the other end, or the container is hung up. Belongs to one
// restore.
class RestoreConsole {
 public:
  // To whoever listens on `socket`, as runtimes do with --console-socket. CONSOLE_SOCKET_UNUSABLE.
  static Result<RestoreConsole> ToSocket(const std::string& socket, const Credentials& caller);
  // To a log, by a process that copies until the last program of the container has closed its
  // terminal. It outlives crd: stopping crd hangs nobody up.
  static Result<RestoreConsole> ToLog(std::string path, const Credentials& caller);

  // From CRIU.
  Result<void> Take(UniqueFd master);
  // When everything is restored. CONSOLE_SOCKET_UNUSABLE.
  Result<void> HandOver(Children& children);

  // Empty if it goes to a socket.
  [[nodiscard]] const std::string& log_path() const { return log_path_; }

 private:
  RestoreConsole() = default;

  std::string socket_path_;
  std::string log_path_;
  UniqueFd target_;
  UniqueFd master_;
};

}  // namespace crd
