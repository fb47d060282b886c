#pragma once

#include <vector>

#include <sys/types.h>

#include "daemon/base/clock.h"
#include "daemon/base/result.h"
#include "daemon/base/unique_fd.h"
#include "daemon/core/claims.h"
#include "daemon/core/engine_parts.h"
#include "daemon/core/inventory.h"

namespace crd {

// The pids that a tree had and is to have again. Belongs to one restore.
class RestorePids {
 public:
  RestorePids(const EngineParts& parts, const CheckpointRecord& checkpoint, Deadline deadline)
      : parts_(parts), checkpoint_(checkpoint), deadline_(deadline) {}

  // Of a tree in crd's own pid namespace: claims those of its processes and threads, which the
  // images tell, and waits for zombies of the old one. TREE_STILL_RUNS, TREE_BUSY, and what
  // WaitPidsFree() refuses.
  Result<void> Take(FdRef images, Claim& claim);
  // Of a tree in a pid namespace that goes on, where a zombie of the old one still has its pid;
  // that another process has the host's by now is nothing to it.
  [[nodiscard]] Result<void> AwaitOldRoot() const;
  // Whatever of a restore that failed still had them.
  [[nodiscard]] Result<void> AwaitFree(Deadline patience) const;

 private:
  [[nodiscard]] Deadline ZombiePatience() const;

  const EngineParts& parts_;
  const CheckpointRecord& checkpoint_;
  const Deadline deadline_;
  std::vector<pid_t> pids_;
};

}  // namespace crd
