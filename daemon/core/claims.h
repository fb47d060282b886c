#pragma once

#include <map>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include <sys/types.h>

#include "daemon/base/ids.h"
#include "daemon/base/result.h"

namespace crd {

class Claims;

// What one operation has for itself: pids, and checkpoints that it reads or removes. Given back
// when it goes out of scope. Belongs to one operation.
class Claim {
 public:
  Claim(Claims& claims, OperationId operation)
      : claims_(claims), operation_(std::move(operation)) {}
  Claim(const Claim&) = delete;
  Claim& operator=(const Claim&) = delete;
  ~Claim();

  // All of them or none; TREE_BUSY names the operation that has one already.
  Result<void> Pids(const std::vector<pid_t>& pids);
  // Any number of operations may read a checkpoint, only one may have it for itself.
  // CHECKPOINT_IN_USE otherwise.
  Result<void> ReadCheckpoint(const CheckpointId& id);
  Result<void> OwnCheckpoint(const CheckpointId& id);
  // A runtime's container, by the path of its state; CONTAINER_BUSY.
  Result<void> RuntimeContainer(const std::string& state_path);

 private:
  Claims& claims_;
  OperationId operation_;
};

// Who works on what. Thread-safe.
class Claims {
 public:
  // Pids that operations other than `operation` have.
  [[nodiscard]] std::map<pid_t, OperationId> BusyPids(const OperationId& operation) const;

 private:
  friend class Claim;
  mutable std::mutex mutex_;
  std::map<pid_t, OperationId> pids_;
  std::multimap<CheckpointId, OperationId> readers_;
  std::map<CheckpointId, OperationId> owners_;
  std::map<std::string, OperationId> runtime_containers_;
};

}  // namespace crd
