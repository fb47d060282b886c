#pragma once

#include <condition_variable>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <thread>

#include <sys/types.h>

#include "daemon/base/cancel.h"
#include "daemon/base/clock.h"
#include "daemon/base/unique_fd.h"

namespace crd::testing {

// Reaps every child of the test process as soon as it ends, the test's own and those that come to
// it as a subreaper (dumped trees, everything of a crd that was killed), and keeps their statuses.
// Make it before there are threads: it blocks SIGCHLD.
class ChildReaper {
 public:
  ChildReaper();
  ChildReaper(const ChildReaper&) = delete;
  ChildReaper& operator=(const ChildReaper&) = delete;
  ~ChildReaper();

  // Runs `start`, which makes a child and gives its pid, so that its end cannot be missed.
  pid_t Start(const std::function<pid_t()>& start);
  // The wait status of a child that has ended; empty if it has not in time.
  std::optional<int> Wait(pid_t pid, Deadline deadline);

 private:
  void Run();
  void ReapAll();

  UniqueFd signals_;
  CancelToken stop_;
  std::mutex mutex_;
  std::condition_variable reaped_;
  std::map<pid_t, int> statuses_;
  std::thread thread_;
};

}  // namespace crd::testing
