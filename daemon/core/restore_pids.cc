#include "daemon/core/restore_pids.h"

#include <algorithm>
#include <chrono>

#include "daemon/base/pid_fd.h"
#include "daemon/core/errors.h"
#include "daemon/core/pids.h"
#include "daemon/criu/images.h"

namespace crd {
namespace {

// A parent that reaps every few seconds is slow, one that has not reaped by then never will.
constexpr auto kZombiePatience = std::chrono::seconds(15);

}  // namespace

Deadline RestorePids::ZombiePatience() const {
  return std::min(deadline_, SteadyClock::now() + kZombiePatience);
}

Result<void> RestorePids::Take(FdRef images, Claim& claim) {
  for (const criu::ImageTask& task : TRY(criu::ReadTasks(images))) {
    pids_.insert(pids_.end(), task.threads.begin(), task.threads.end());
  }
  TRY(claim.Pids(pids_));
  auto free = AwaitFree(ZombiePatience());
  if (free.ok() || free.error().reason != "PID_TAKEN") return free;
  const auto original = parts_.inventory.FindContainer(checkpoint_.container_id.str());
  if (original.ok() && IsLive(original->state) && PidFd::Reopen(original->process).ok()) {
    return errors::TreeStillRuns(checkpoint_.id, original->process.pid);
  }
  return free;
}

Result<void> RestorePids::AwaitOldRoot() const {
  auto free = WaitPidsFree({checkpoint_.pid}, parts_.children, ZombiePatience());
  return free.ok() || free.error().reason == "PID_TAKEN" ? Result<void>() : free;
}

Result<void> RestorePids::AwaitFree(Deadline patience) const {
  return WaitPidsFree(pids_, parts_.children, patience);
}

}  // namespace crd
