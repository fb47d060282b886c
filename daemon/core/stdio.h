#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include <sys/ioctl.h>
#include <sys/types.h>

#include "daemon/base/ids.h"
#include "daemon/base/result.h"
#include "daemon/base/unique_fd.h"
#include "daemon/core/preflight.h"
#include "daemon/core/requests.h"
#include "daemon/criu/criu.h"
#include "daemon/runtime/id_maps.h"

namespace crd {

// A log of a caller's (`user`) or of crd's own, made if it is not there. LOG_UNUSABLE.
Result<UniqueFd> OpenLog(const std::string& path, const Credentials& user);

// What takes the place of the pipes, sockets and terminal that led out of a tree through its
// standard streams. Owns what it opened; belongs to one restore.
class RestoreStdio {
 public:
  // TERMINAL_GONE if the tree needs a terminal and the caller brings none; LOG_UNUSABLE.
  // The log is made when something is to be written there, and only then: the caller's with the
  // caller's credentials, `own_log` if the caller names none. A file outside of a container is
  // opened again unless the caller says what takes its place.
  static Result<RestoreStdio> Open(const CheckpointId& checkpoint,
                                   const std::vector<StdioLink>& links,
                                   const std::variant<StdioToLog, StdioFromCaller>& wanted,
                                   const std::string& own_log);

  // For a container with a user namespace, in which CRIU opens anew what takes a file's place
  // (4.2, files-reg.c): what root in there may not open is handed over as it is instead, with the
  // flags and the position that `images` have, where it is not the caller's own.
  [[nodiscard]] Result<void> HandOver(const runtime::IdMaps& users, FdRef images);

  // Sets RestoreRequest::inherit; the request must not outlive this.
  void ApplyTo(criu::RestoreRequest& request) const;
  // The log that is written to, empty if none is.
  [[nodiscard]] const std::string& log_path() const { return log_path_; }
  // CRIU opens what takes a pipe's place anew, with the pipe's flags: without O_APPEND, so that two
  // streams would overwrite each other in one log. Puts the flag right on the restored tree's own
  // descriptors, while nothing runs yet (criu 4.2, pipes.c: reopen_pipe). `host_pid` tells what pid
  // a process of the images has now.
  [[nodiscard]] Result<void> SetAppend(const std::function<pid_t(pid_t)>& host_pid) const;
  // CRIU gives the caller's terminal the owner and the size of the tree's old one (criu 4.2, tty.c:
  // restore_tty_params); its modes are the program's business. Puts both back.
  [[nodiscard]] Result<void> KeepTerminal() const;

 private:
  struct Link {
    std::string key;
    int fd = -1;    // one of the tree's descriptors for it
    pid_t pid = 0;  // and the process that has it
    FdRef target{-1};
    bool to_log = false;
    bool file = false;  // stands for one outside of a container
    std::string path;   // of that
    bool as_it_is = false;
  };
  std::vector<Link> links_;
  std::vector<UniqueFd> opened_;
  std::shared_ptr<const std::vector<UniqueFd>> from_caller_;
  // Opened anew, so that reading and writing go through one descriptor, whatever the caller has it
  // open for, and its flags are not shared with the caller.
  struct Terminal {
    UniqueFd fd;
    winsize size{};
    uid_t owner = 0;
    gid_t group = 0;
  };
  static Result<Terminal> OpenTerminal(const std::vector<UniqueFd>& descriptors);
  std::optional<Terminal> terminal_;
  std::string log_path_;
};

}  // namespace crd
