#pragma once

#include <string>
#include <vector>

#include <sys/types.h>

#include "daemon/base/clock.h"
#include "daemon/base/result.h"
#include "daemon/base/unique_fd.h"

namespace crd {

// One cgroup2 directory of crd's own: what is started inside can be killed as a whole, whatever it
// forked. No controller is enabled in it, so it costs nothing and limits nothing. Any thread.
//
// Facts: cgroup.kill needs Linux 5.14. A cgroup can be removed once no living process is in it;
// zombies do not count.
class Cgroup {
 public:
  // Makes <parent>/<name>, or takes over what is there already.
  static Result<Cgroup> Create(const std::string& parent, const std::string& name);

  [[nodiscard]] const std::string& path() const { return path_; }
  [[nodiscard]] FdRef directory() const { return directory_.ref(); }
  [[nodiscard]] Result<bool> IsEmpty() const;
  [[nodiscard]] Result<std::vector<pid_t>> Pids() const;

  // Sends SIGKILL to everything in it and beneath.
  [[nodiscard]] Result<void> Kill() const;
  // kDeadlineExceeded, naming a process, if it does not become empty in time.
  [[nodiscard]] Result<void> WaitEmpty(Deadline deadline) const;
  // Kills, waits, removes the directory.
  [[nodiscard]] Result<void> Destroy(Deadline deadline) const;
  // Removes the directory; fails with kFailedPrecondition while something is in it.
  [[nodiscard]] Result<void> Remove() const;

 private:
  Cgroup(std::string path, UniqueFd directory)
      : path_(std::move(path)), directory_(std::move(directory)) {}
  std::string path_;
  UniqueFd directory_;
};

// The directory of the cgroup2 that a process (0: this one) is in, on unified and hybrid hosts.
// kFailedPrecondition when no cgroup2 file system is mounted.
Result<std::string> CgroupOf(pid_t pid);

}  // namespace crd
