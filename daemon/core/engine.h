#pragma once

#include <chrono>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "daemon/base/children.h"
#include "daemon/core/claims.h"
#include "daemon/core/containers.h"
#include "daemon/core/image_store.h"
#include "daemon/core/inventory.h"
#include "daemon/core/operation.h"
#include "daemon/core/operation_runner.h"
#include "daemon/core/preflight.h"
#include "daemon/core/verify.h"
#include "daemon/criu/criu.h"

namespace crd {

// What is asked of the engine, in its own words.

// A process tree by its root's pid, or by the key of a container that crd knows.
using Target = std::variant<pid_t, std::string>;

struct CheckpointRequest {
  std::string request_id;
  Target target;
  std::string name;
  criu::DumpOptions options;
  std::chrono::microseconds timeout{0};  // 0: the default
};

// Where a restored tree's broken standard streams go.
struct StdioToLog {
  std::string path;  // empty: a file under crd's state
};
struct StdioFromCaller {
  // The caller's descriptors 0, 1, 2; shared because a repeated request may bring them again.
  std::shared_ptr<const std::vector<UniqueFd>> descriptors;
};

struct RestoreRequest {
  std::string request_id;
  std::string checkpoint;
  std::string name;
  std::variant<StdioToLog, StdioFromCaller> stdio;
  bool tcp_established = false;
  bool tcp_close = false;
  std::chrono::microseconds timeout{0};
};

struct CheckRequest {
  struct CheckpointKey {
    std::string key;
  };
  std::variant<Target, CheckpointKey> subject;
  criu::DumpOptions options;
};

struct EngineInfo {
  std::string criu_path;
  std::string criu_version;
  std::string criu_problem;
  std::string kernel_release;
  std::string state_directory;
  std::int64_t checkpoints = 0;
  std::int64_t containers_running = 0;
  std::int64_t operations_running = 0;
  WallMicros started_us = 0;
  bool kernel_cache_primed = false;
  std::uint64_t free_bytes = 0;
};

// What everything needs that runs an operation. All of it outlives the engine.
struct EngineParts {
  Inventory& inventory;
  ImageStore& images;
  Containers& containers;
  Children& children;
  criu::Criu& criu;
  const Clock& clock;
  std::string state_directory;
  std::string cgroup_base;  // directory of crd's own cgroup2
  std::string kernel_release;
  std::string host;
  std::string boot_id;
  bool kernel_cache_primed = false;
  int workers = 4;
};

// Everything that can be asked of crd. Thread-safe. Calls named Start… return at once: their
// operation goes on without the caller, unless nobody watches it any more (Operation::DropWatcher).
class Engine {
 public:
  explicit Engine(EngineParts parts);

  Result<std::shared_ptr<Operation>> StartCheckpoint(const CheckpointRequest& request);
  Result<std::shared_ptr<Operation>> StartRestore(const RestoreRequest& request);
  // Everything in the way, empty if nothing is known to be. A target or checkpoint that does not
  // exist is an error.
  Result<std::vector<Obstacle>> Check(const CheckRequest& request);

  // Images first, then the record. CHECKPOINT_IN_USE while an operation needs it.
  Result<CheckpointId> DeleteCheckpoint(const std::string& key);
  // Compares every byte; turns the checkpoint `damaged` if it is.
  struct Verified {
    CheckpointRecord checkpoint;
    std::vector<Damage> damages;
  };
  Result<Verified> VerifyCheckpoint(const std::string& key);

  Result<void> SignalContainer(const std::string& key, int signal);
  // Drops the record of a container that has ended, and its log.
  Result<void> ForgetContainer(const std::string& key);

  Result<EngineInfo> Info();
  Inventory& inventory() { return parts_.inventory; }
  [[nodiscard]] std::string CheckpointDirectory(const CheckpointId& id) const {
    return parts_.images.Path(id);
  }
  // The live operation with this id, null if it has ended or never was.
  [[nodiscard]] std::shared_ptr<Operation> FindLive(const OperationId& id) const;
  [[nodiscard]] std::vector<std::shared_ptr<Operation>> live() const { return runner_.live(); }

  // Takes nothing new, and returns when nothing runs. See OperationRunner::Drain.
  void Drain(Deadline patience) { runner_.Drain(patience); }

 private:
  // Finds the operation that an earlier call with this request id began, or submits a new one.
  Result<std::shared_ptr<Operation>> Begin(OperationKind kind, const std::string& request_id,
                                           std::string request_text,
                                           std::chrono::microseconds timeout,
                                           OperationRunner::Work work);

  EngineParts parts_;
  Claims claims_;
  const WallMicros started_us_;
  std::mutex begin_mutex_;
  OperationRunner runner_;  // last: its threads use everything above
};

}  // namespace crd
