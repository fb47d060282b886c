#include "daemon/core/restorable.h"

#include "daemon/core/container_restore.h"
#include "daemon/core/damage.h"
#include "daemon/core/errors.h"
#include "daemon/core/pids.h"
#include "daemon/core/restore_network.h"
#include "daemon/core/verify.h"
#include "daemon/criu/images.h"

namespace crd {

Result<std::vector<Obstacle>> FindRestoreObstacles(const EngineParts& parts, Claims& claims,
                                                   const std::string& key) {
  const CheckpointRecord record = TRY(parts.inventory.FindCheckpoint(key));
  std::vector<Obstacle> obstacles;
  const auto add = [&](pid_t pid, Error error) {
    obstacles.push_back({.pid = pid, .error = std::move(error)});
  };
  if (!parts.criu.problem().empty())
    add(0, errors::CriuUnusable(parts.criu.path(), parts.criu.problem()));
  Claim claim(claims, NewId<OperationId>());
  if (auto read = claim.ReadCheckpoint(record.id); !read.ok()) {
    add(0, std::move(read).error());
    return obstacles;
  }
  if (record.state != CheckpointState::kReady) {
    add(0, errors::CheckpointNotReady(record.id, record.state, record.problem));
    return obstacles;
  }
  const auto stored = parts.images.Open(record.id);
  const std::vector<Damage> damages =
      stored.ok() ? Verification(*stored).Finish()
                  : std::vector<Damage>{{.file = "manifest.json", .what = stored.error().message}};
  if (!damages.empty()) {
    add(0, RecordDamage(parts.inventory, record.id, damages));
    return obstacles;
  }
  if (auto network = RestoreNetwork::Check(stored->manifest); !network.ok()) {
    add(0, std::move(network).error());
  }
  if (const auto& container = stored->manifest.container) {
    if (auto open = ContainerRestore::Open(stored->manifest); !open.ok()) {
      add(0, std::move(open).error());
    }
    if (container->own_pids) return obstacles;
  }
  for (const criu::ImageTask& task : TRY(criu::ReadTasks(stored->images.ref()))) {
    for (const pid_t thread : task.threads) {
      auto free = WaitPidsFree({thread}, parts.children, SteadyClock::now());
      if (!free.ok()) add(thread, std::move(free).error());
    }
  }
  return obstacles;
}

}  // namespace crd
