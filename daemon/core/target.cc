#include "daemon/core/target.h"

#include "daemon/core/errors.h"

namespace crd {

Result<pid_t> ResolvePid(const EngineParts& parts, const Target& target) {
  if (const auto* pid = std::get_if<pid_t>(&target)) return *pid;
  const ContainerRecord container =
      TRY(parts.inventory.FindContainer(std::get<std::string>(target)));
  if (!IsLive(container.state)) return errors::ContainerEnded(container.id, container.state);
  TRY(PidFd::Reopen(container.process));
  return container.process.pid;
}

Result<CheckpointTarget> OpenTarget(const EngineParts& parts, const TreeProcess& root) {
  PidFd process = TRY(PidFd::Reopen(root.identity()));
  const ContainerId known = parts.containers.FindByPid(process.identity());
  if (!known.empty()) {
    ContainerRecord container = TRY(parts.inventory.FindContainer(known.str()));
    return CheckpointTarget{
        .root = std::move(process), .container = std::move(container), .is_new = false};
  }
  ContainerRecord container{.id = NewId<ContainerId>(),
                            .state = ContainerState::kCheckpointing,
                            .process = process.identity(),
                            .boot_id = parts.boot_id,
                            .command = root.command_line,
                            .created_us = parts.clock.Wall()};
  return CheckpointTarget{
      .root = std::move(process), .container = std::move(container), .is_new = true};
}

}  // namespace crd
