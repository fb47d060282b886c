#include "daemon/core/containers.h"

#include <chrono>
#include <utility>

#include "daemon/base/log.h"
#include "daemon/core/errors.h"
#include "daemon/core/reservations.h"

namespace crd {
namespace {

// A parent that is not crd may reap late; the kernel tells the status only then (Linux 6.15).
constexpr auto kReapPatience = std::chrono::seconds(5);
constexpr auto kAskAgain = std::chrono::milliseconds(20);

}  // namespace

Containers::Containers(Inventory& inventory, Children& children, ExitWatcher& watcher,
                       FdKeeper& keeper, const Clock& clock)
    : inventory_(inventory),
      children_(children),
      watcher_(watcher),
      keeper_(keeper),
      clock_(clock) {}

void Containers::Watch(const ContainerId& id, PidFd process, std::string cgroup, bool kept) {
  auto shared = std::make_shared<const PidFd>(std::move(process));
  {
    const std::lock_guard lock(mutex_);
    entries_[id] = {.process = shared, .cgroup = std::move(cgroup)};
  }
  if (!kept) keeper_.Keep(KeptName(id), shared->fd());
  watcher_.Watch(shared->fd(), [this, id] { OnEnd(id); });
}

void Containers::Hold(const ContainerId& id) {
  const std::lock_guard lock(mutex_);
  if (const auto found = entries_.find(id); found != entries_.end()) found->second.held = true;
}

void Containers::LetGo(const ContainerId& id) {
  bool ended = false;
  {
    const std::lock_guard lock(mutex_);
    const auto found = entries_.find(id);
    if (found == entries_.end()) return;
    found->second.held = false;
    ended = found->second.ended;
  }
  if (ended) OnEnd(id);
}

void Containers::OnEnd(const ContainerId& id) {
  std::shared_ptr<const PidFd> process;
  {
    const std::lock_guard lock(mutex_);
    const auto found = entries_.find(id);
    if (found == entries_.end()) return;
    found->second.ended = true;
    if (found->second.held) return;
    process = found->second.process;
  }
  AskStatus(id, std::move(process), SteadyClock::now() + kReapPatience);
}

void Containers::AskStatus(const ContainerId& id, std::shared_ptr<const PidFd> process,
                           Deadline patience) {
  const std::optional<ExitStatus> status = process->TryExitStatus();
  if (!status.has_value() && SteadyClock::now() < patience) {
    watcher_.After(kAskAgain, [this, id, process = std::move(process), patience] {
      AskStatus(id, process, patience);
    });
    return;
  }
  RecordEnd(id, status.value_or(ExitStatus{}));
}

void Containers::RecordEnd(const ContainerId& id, const ExitStatus& status) {
  const auto recorded =
      inventory_.ChangeContainer(id, [&](ContainerRecord& record) -> Result<bool> {
        TRY(SetState(record.state, ContainerState::kExited));
        record.exit = status;
        record.ended_us = clock_.Wall();
        if (!status.known())
          record.problem = "its exit status is unknown: this kernel tells it only to its parent";
        return true;
      });
  if (!recorded.ok()) {
    spdlog::error("container={} record its end: {}", id, recorded.error().message);
  }
  Update update = inventory_.NewUpdate();
  // The namespace that it had ended with it.
  auto given = GiveBackEndpoints(
      inventory_, id, [](const CheckpointId&) { return false; }, update);
  if (given.ok() && !update.change().reservations.empty()) given = inventory_.Write(update);
  if (!given.ok()) {
    spdlog::error("container={} give its addresses back: {}; the next start will", id,
                  given.error().message);
  }
  Drop(id);
}

void Containers::Drop(const ContainerId& id) {
  {
    const std::lock_guard lock(mutex_);
    const auto found = entries_.find(id);
    if (found == entries_.end()) return;
    if (!found->second.cgroup.empty()) emptying_.push_back(found->second.cgroup);
    children_.Disown(found->second.process->pid());
    entries_.erase(found);
  }
  keeper_.Forget(KeptName(id));
  // Its root may have become a zombie that nobody waits for any more.
  children_.ReapStrangers();
  Sweep();
}

void Containers::Release(const ContainerId& id) { Drop(id); }

Result<void> Containers::Signal(const ContainerRecord& record, int signal) {
  std::shared_ptr<const PidFd> process;
  {
    const std::lock_guard lock(mutex_);
    const auto found = entries_.find(record.id);
    if (found != entries_.end() && !found->second.ended) process = found->second.process;
  }
  if (process == nullptr) return errors::ContainerEnded(record.id, record.state);
  return process->Signal(signal);
}

ContainerId Containers::FindByPid(const ProcessIdentity& process) const {
  const std::lock_guard lock(mutex_);
  for (const auto& [id, entry] : entries_) {
    if (entry.process->identity() == process) return id;
  }
  return {};
}

void Containers::Sweep() {
  const std::lock_guard lock(mutex_);
  std::erase_if(emptying_, [](const std::string& path) {
    return ::rmdir(path.c_str()) == 0 || errno == ENOENT;
  });
}

}  // namespace crd
