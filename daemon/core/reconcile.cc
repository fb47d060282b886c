#include "daemon/core/reconcile.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "daemon/base/cgroup.h"
#include "daemon/base/files.h"
#include "daemon/base/log.h"
#include "daemon/core/dump_cure.h"
#include "daemon/core/errors.h"
#include "daemon/runtime/container_root.h"
#include "daemon/runtime/freezer.h"

namespace crd {
namespace {

// A CRIU whose crd has died ends by itself at its next notification; dumping many GiB may take it a
// while to get there.
constexpr auto kCriuPatience = std::chrono::seconds(10);

template <typename Record, typename List>
Result<std::vector<Record>> ReadAll(List list) {
  std::vector<Record> all;
  std::string token;
  do {
    Page<Record> page = TRY(list(token));
    for (Record& record : page.records) all.push_back(std::move(record));
    token = page.next_token;
  } while (!token.empty());
  return all;
}

Result<Recorded> ReadRecorded(Inventory& inventory) {
  return Recorded{
      .checkpoints = TRY(ReadAll<CheckpointRecord>([&](const std::string& token) {
        return inventory.ListCheckpoints(token, 0,
                                         {CheckpointState::kCreating, CheckpointState::kDeleting});
      })),
      .containers = TRY(ReadAll<ContainerRecord>([&](const std::string& token) {
        return inventory.ListContainers(
            token, 0,
            {ContainerState::kRunning, ContainerState::kCheckpointing, ContainerState::kRestoring});
      })),
      .operations = TRY(ReadAll<OperationRecord>([&](const std::string& token) {
        return inventory.ListOperations(token, 0, {OperationState::kRunning});
      }))};
}

Result<Observed> Observe(const EngineParts& parts, const Recorded& recorded,
                         std::map<std::string, UniqueFd>& kept) {
  Observed observed{.boot_id = parts.boot_id};
  for (const ContainerRecord& container : recorded.containers) {
    if (container.boot_id != parts.boot_id || container.process.start_time == 0) continue;
    const auto process = PidFd::Reopen(container.process);
    if (process.ok() && !process->HasExited()) {
      observed.alive.insert(container.id);
      continue;
    }
    const auto fd = kept.find(Containers::KeptName(container.id));
    if (fd == kept.end()) continue;
    const PidFd ended = PidFd::Take(std::move(fd->second), container.process);
    const ExitStatus status = ended.TakeExitStatus(SteadyClock::now() + kCriuPatience);
    if (status.known()) observed.exits[container.id] = status;
  }
  for (const OperationRecord& operation : recorded.operations) {
    if (operation.checkpoint_id.empty()) continue;
    const auto checkpoint = parts.inventory.FindCheckpoint(operation.checkpoint_id.str());
    if (!checkpoint.ok() || checkpoint->state != CheckpointState::kReady) continue;
    observed.ready.insert(checkpoint->id);
    if (operation.kind == OperationKind::kCheckpoint) {
      observed.committed[operation.container_id] = checkpoint->id;
    }
  }
  return observed;
}

// The cgroups of operations, and of restores that nobody finished, are emptied first: a CRIU that
// is still at work there would change under us what is looked at next.
Result<void> EndLeftOverCriu(const EngineParts& parts, const std::vector<ContainerRecord>& live) {
  const UniqueFd base = TRY(OpenDirectory(parts.cgroup_base));
  for (const std::string& name : TRY(ListDirectory(base.ref()))) {
    const bool operation = name.starts_with("op-");
    const bool restoring =
        std::any_of(live.begin(), live.end(), [&](const ContainerRecord& container) {
          return container.state == ContainerState::kRestoring &&
                 name == "ct-" + container.id.str();
        });
    if (!operation && !restoring) continue;
    const Cgroup cgroup = TRY(Cgroup::Create(parts.cgroup_base, name));
    if (operation) {
      static_cast<void>(cgroup.WaitEmpty(SteadyClock::now() + kCriuPatience));
      TRY(cgroup.Destroy(SteadyClock::now() + kCriuPatience));
    }
  }
  return {};
}

// A tree whose checkpoint was under way and that is not in one now was let go by a CRIU that could
// not finish, or had to be killed: nobody else knows what that one left behind.
void CureLetGoTrees(const EngineParts& parts, const Recorded& recorded, const Observed& observed) {
  for (const OperationRecord& operation : recorded.operations) {
    if (operation.kind != OperationKind::kCheckpoint) continue;
    const bool alive = observed.alive.contains(operation.container_id);
    if (!alive && observed.ready.contains(operation.checkpoint_id)) continue;
    std::vector<TreeProcess> processes;
    for (const ContainerRecord& container : recorded.containers) {
      if (!alive || container.id != operation.container_id) continue;
      if (const auto tree = ReadProcessTree(container.process.pid); tree.ok())
        processes = tree->processes();
    }
    const auto work = parts.images.OpenWork(operation.id, operation.checkpoint_id);
    if (work.ok()) CureAfterKilledDump(processes, work->ref());
  }
}

// Whoever is in the cgroup of a container that is forgotten was never adopted: half-made tasks.
Result<void> SweepCgroups(const EngineParts& parts, const std::set<std::string>& keep) {
  const UniqueFd base = TRY(OpenDirectory(parts.cgroup_base));
  for (const std::string& name : TRY(ListDirectory(base.ref()))) {
    if (!name.starts_with("ct-") || keep.contains(name)) continue;
    const Cgroup cgroup = TRY(Cgroup::Create(parts.cgroup_base, name));
    const auto container = parts.inventory.FindContainer(name.substr(3));
    // Descendants of a tree whose root has ended may live on; they are nobody's to kill.
    if (container.ok() && !TRY(cgroup.IsEmpty())) continue;
    TRY(cgroup.Destroy(SteadyClock::now() + kCriuPatience));
  }
  return {};
}

// Directories of containers that have no record: a restore that died before its record was written,
// or after that was dropped. And what a restore had mounted there.
Result<void> RemoveUnknownLogs(const EngineParts& parts) {
  const UniqueFd containers = TRY(OpenDirectory(parts.state_directory + "/containers"));
  for (const std::string& name : TRY(ListDirectory(containers.ref()))) {
    const std::string directory = fmt::format("{}/containers/{}", parts.state_directory, name);
    runtime::RemoveLeftOverRoot(directory + "/root");
    runtime::RemoveLeftOverRoot(directory + "/mounts");
    const auto record = parts.inventory.FindContainer(name);
    if (!record.ok() && record.error().code == Code::kNotFound)
      TRY(RemoveTreeAt(containers.ref(), name));
  }
  return {};
}

// What cannot be removed now, a name on a file system that is read-only for one, is no reason not
// to start: the checkpoint stays what it is, and can be removed later.
bool RemoveImages(const EngineParts& parts, const CheckpointId& id) {
  const auto removed = parts.images.Remove(id);
  if (!removed.ok())
    spdlog::warn("checkpoint={} remove it: {}, ignoring", id, removed.error().message);
  return removed.ok();
}

ContainerRecord Ended(ContainerRecord container, const Observed& observed, WallMicros now) {
  container.ended_us = now;
  const auto exit = observed.exits.find(container.id);
  if (exit != observed.exits.end()) {
    container.state = ContainerState::kExited;
    container.exit = exit->second;
    return container;
  }
  container.state = ContainerState::kLost;
  container.problem = container.boot_id == observed.boot_id
                          ? "it ended while crd was not running; its exit status is unknown"
                          : "the host was restarted";
  return container;
}

void PlanContainer(ContainerRecord container, const Observed& observed, WallMicros now,
                   ReconcilePlan& plan) {
  const bool alive = observed.alive.contains(container.id);
  const auto committed = observed.committed.find(container.id);
  if (container.state == ContainerState::kRestoring && !alive) {
    plan.forget.push_back(container.id);
    return;
  }
  if (alive) {
    // A dump that was rolled back, or a restore that had come to its end without us.
    const bool changed = container.state != ContainerState::kRunning;
    if (container.state == ContainerState::kRestoring) container.started_us = now;
    if (container.state == ContainerState::kCheckpointing)
      plan.thaw.push_back(container.process.pid);
    container.state = ContainerState::kRunning;
    if (changed) plan.containers.push_back(container);
    plan.watch.push_back(std::move(container));
    return;
  }
  if (container.state == ContainerState::kCheckpointing && committed != observed.committed.end()) {
    container.state = ContainerState::kCheckpointed;
    container.last_checkpoint_id = committed->second;
    container.ended_us = now;
    plan.containers.push_back(std::move(container));
    return;
  }
  plan.containers.push_back(Ended(std::move(container), observed, now));
}

void PlanOperation(OperationRecord operation, const Observed& observed, WallMicros now,
                   ReconcilePlan& plan) {
  const bool done = operation.kind == OperationKind::kCheckpoint
                        ? observed.ready.contains(operation.checkpoint_id)
                        : observed.alive.contains(operation.container_id);
  operation.ended_us = now;
  operation.state = done ? OperationState::kSucceeded : OperationState::kFailed;
  if (!done) operation.error = errors::CrdDied(operation.stage);
  plan.operations.push_back(std::move(operation));
}

}  // namespace

ReconcilePlan PlanReconcile(const Recorded& recorded, const Observed& observed, WallMicros now) {
  ReconcilePlan plan;
  for (CheckpointRecord checkpoint : recorded.checkpoints) {
    if (checkpoint.state == CheckpointState::kDeleting) {
      plan.finish_deleting.push_back(checkpoint.id);
      continue;
    }
    plan.remove.push_back(checkpoint.id);
    checkpoint.state = CheckpointState::kFailed;
    checkpoint.problem = "crd ended while it was being made";
    plan.checkpoints.push_back(std::move(checkpoint));
  }
  for (const ContainerRecord& container : recorded.containers)
    PlanContainer(container, observed, now, plan);
  for (const OperationRecord& operation : recorded.operations)
    PlanOperation(operation, observed, now, plan);
  return plan;
}

Result<void> Reconcile(const EngineParts& parts, std::map<std::string, UniqueFd> kept) {
  std::set<std::string> kept_names;
  for (const auto& [name, fd] : kept) kept_names.insert(name);
  const Recorded recorded = TRY(ReadRecorded(parts.inventory));
  TRY(EndLeftOverCriu(parts, recorded.containers));
  const Observed observed = TRY(Observe(parts, recorded, kept));
  CureLetGoTrees(parts, recorded, observed);
  ReconcilePlan plan = PlanReconcile(recorded, observed, parts.clock.Wall());

  // CRIU leaves a container frozen that it found so.
  for (const pid_t pid : plan.thaw) runtime::ThawLeftOver(pid);
  for (const OperationRecord& operation : recorded.operations) {
    if (operation.kind == OperationKind::kRestore)
      parts.images.EndAbandonedRestore(operation.checkpoint_id);
  }
  for (const CheckpointId& id : plan.remove) static_cast<void>(RemoveImages(parts, id));
  TRY(parts.images.RemoveStaging());
  std::erase_if(plan.finish_deleting,
                [&](const CheckpointId& id) { return !RemoveImages(parts, id); });
  std::set<std::string> keep;
  for (const ContainerRecord& container : plan.watch) keep.insert("ct-" + container.id.str());

  Update update = parts.inventory.NewUpdate();
  for (const CheckpointRecord& checkpoint : plan.checkpoints) update.Put(checkpoint);
  for (const ContainerRecord& container : plan.containers) update.Put(container);
  for (const OperationRecord& operation : plan.operations) update.Put(operation);
  for (const ContainerId& id : plan.forget) update.Forget(id);
  for (const CheckpointId& id : plan.finish_deleting) update.Delete(id);
  if (!update.change().events.empty()) TRY(parts.inventory.Write(update));
  TRY(SweepCgroups(parts, keep));
  TRY(RemoveUnknownLogs(parts));

  for (const ContainerRecord& container : plan.watch) {
    auto process = PidFd::Reopen(container.process);
    // It may have ended since it was observed: the watcher records that at once.
    const auto fd = kept.find(Containers::KeptName(container.id));
    if (!process.ok() && fd != kept.end())
      process = PidFd::Take(std::move(fd->second), container.process);
    if (!process.ok()) continue;
    parts.containers.Watch(container.id, std::move(*process),
                           parts.cgroup_base + "/ct-" + container.id.str(),
                           kept_names.erase(Containers::KeptName(container.id)) > 0);
  }
  for (const std::string& name : kept_names) parts.containers.ForgetKept(name);
  if (!recorded.operations.empty() || !recorded.checkpoints.empty()) {
    spdlog::info("after the last crd: {} checkpoints and {} operations were unfinished",
                 recorded.checkpoints.size(), recorded.operations.size());
  }
  return {};
}

}  // namespace crd
