#pragma once

#include <string>
#include <vector>

#include <sys/types.h>

#include "daemon/base/clock.h"
#include "daemon/base/result.h"
#include "daemon/runtime/cgroups.h"

namespace crd::runtime {

// True if the container's cgroup, v1 freezer or v2, was asked to freeze.
bool IsFrozen(const std::vector<CgroupPlace>& places);

// Thaws the cgroup of a container whose dump nobody finished. Logs what it cannot do.
void ThawLeftOver(pid_t init);

// Freezes a container's cgroup as long as it exists. Belongs to one thread.
//
// CRIU that has to freeze a cgroup itself looks every 100 ms whether it is (4.2, seize.c); one that
// finds it frozen goes on at once. It thaws it when it has seized all tasks, and when it lets them
// run on leaves it frozen, as it found it.
//
// Facts: a frozen cgroup2 can be killed, a frozen v1 cgroup dies only when it is thawed. v1 may
// stay FREEZING while a task forks or traces; asking again helps.
class Freezer {
 public:
  // The cgroup2 of the container's own if it has one, else its v1 freezer. kFailedPrecondition when
  // it has neither.
  static Result<Freezer> Of(const std::vector<CgroupPlace>& places);

  Freezer(Freezer&& other) noexcept;
  Freezer& operator=(Freezer&&) = delete;
  Freezer(const Freezer&) = delete;
  Freezer& operator=(const Freezer&) = delete;
  ~Freezer();

  // For CRIU's freeze_cgroup.
  [[nodiscard]] const std::string& directory() const { return directory_; }

  // Returns when all tasks stand still; kDeadlineExceeded if they do not, thawed again.
  Result<void> Freeze(Deadline deadline);
  // Does nothing if Freeze() was never called. A cgroup that has gone is thawed.
  Result<void> Thaw();

 private:
  Freezer(std::string directory, bool v2) : directory_(std::move(directory)), v2_(v2) {}
  [[nodiscard]] Result<bool> Frozen() const;

  std::string directory_;
  bool v2_ = false;
  bool asked_ = false;
};

}  // namespace crd::runtime
