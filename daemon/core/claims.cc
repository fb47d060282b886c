#include "daemon/core/claims.h"

#include "daemon/core/errors.h"

namespace crd {

Claim::~Claim() {
  const std::lock_guard lock(claims_.mutex_);
  std::erase_if(claims_.pids_, [&](const auto& item) { return item.second == operation_; });
  std::erase_if(claims_.readers_, [&](const auto& item) { return item.second == operation_; });
  std::erase_if(claims_.owners_, [&](const auto& item) { return item.second == operation_; });
  std::erase_if(claims_.runtime_containers_,
                [&](const auto& item) { return item.second == operation_; });
}

Result<void> Claim::Pids(const std::vector<pid_t>& pids) {
  const std::lock_guard lock(claims_.mutex_);
  for (const pid_t pid : pids) {
    const auto found = claims_.pids_.find(pid);
    if (found != claims_.pids_.end() && found->second != operation_) {
      return errors::TreeBusy(pid, found->second);
    }
  }
  for (const pid_t pid : pids) claims_.pids_.insert_or_assign(pid, operation_);
  return {};
}

Result<void> Claim::ReadCheckpoint(const CheckpointId& id) {
  const std::lock_guard lock(claims_.mutex_);
  const auto owner = claims_.owners_.find(id);
  if (owner != claims_.owners_.end()) return errors::CheckpointInUse(id, owner->second);
  claims_.readers_.emplace(id, operation_);
  return {};
}

Result<void> Claim::OwnCheckpoint(const CheckpointId& id) {
  const std::lock_guard lock(claims_.mutex_);
  const auto owner = claims_.owners_.find(id);
  if (owner != claims_.owners_.end()) return errors::CheckpointInUse(id, owner->second);
  const auto reader = claims_.readers_.find(id);
  if (reader != claims_.readers_.end()) return errors::CheckpointInUse(id, reader->second);
  claims_.owners_.emplace(id, operation_);
  return {};
}

Result<void> Claim::RuntimeContainer(const std::string& state_path) {
  const std::lock_guard lock(claims_.mutex_);
  const auto [found, is_new] = claims_.runtime_containers_.emplace(state_path, operation_);
  if (!is_new && found->second != operation_) {
    return errors::ContainerBusy(state_path, found->second);
  }
  return {};
}

std::map<pid_t, OperationId> Claims::BusyPids(const OperationId& operation) const {
  const std::lock_guard lock(mutex_);
  std::map<pid_t, OperationId> busy;
  for (const auto& [pid, holder] : pids_) {
    if (holder != operation) busy.emplace(pid, holder);
  }
  return busy;
}

}  // namespace crd
