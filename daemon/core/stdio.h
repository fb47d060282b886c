#pragma once

#include <memory>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "daemon/base/ids.h"
#include "daemon/base/result.h"
#include "daemon/base/unique_fd.h"
#include "daemon/core/preflight.h"
#include "daemon/core/requests.h"
#include "daemon/criu/criu.h"

namespace crd {

// What takes the place of the pipes, sockets and terminal that led out of a tree through its
// standard streams. Owns what it opened; belongs to one restore.
class RestoreStdio {
 public:
  // TERMINAL_GONE if the tree needs a terminal and the caller brings none; LOG_UNUSABLE.
  // `log_path` is made when something is to be written there, and only then.
  static Result<RestoreStdio> Open(const CheckpointId& checkpoint,
                                   const std::vector<StdioLink>& links,
                                   const std::variant<StdioToLog, StdioFromCaller>& wanted,
                                   const std::string& log_path);

  // Sets RestoreRequest::inherit and ::stdio; the request must not outlive this.
  void ApplyTo(criu::RestoreRequest& request) const;
  // The log that is written to, empty if none is.
  [[nodiscard]] const std::string& log_path() const { return log_path_; }
  // CRIU opens what takes a pipe's place anew, with the pipe's flags: without O_APPEND, so that two
  // streams would overwrite each other in one log. Puts the flag right on the restored tree's own
  // descriptors, while nothing runs yet (criu 4.2, pipes.c: reopen_pipe).
  [[nodiscard]] Result<void> SetAppend() const;

 private:
  struct Link {
    std::string key;
    int fd = -1;    // one of the tree's descriptors for it
    pid_t pid = 0;  // and the process that has it
    FdRef target{-1};
    bool to_log = false;
  };
  std::vector<Link> links_;
  std::vector<UniqueFd> opened_;
  std::shared_ptr<const std::vector<UniqueFd>> from_caller_;
  bool terminal_ = false;
  std::string log_path_;
};

}  // namespace crd
