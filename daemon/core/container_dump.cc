#include "daemon/core/container_dump.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include <fcntl.h>
#include <nlohmann/json.hpp>
#include <sys/stat.h>

#include "daemon/base/files.h"
#include "daemon/base/log.h"
#include "daemon/core/container_mounts.h"
#include "daemon/runtime/nested_cgroups.h"
#include "daemon/runtime/runtime_state.h"
#include "daemon/runtime/scope_path.h"
#include "daemon/runtime/tmpfs.h"

namespace crd {
namespace {

// A container whose tasks all wait for a slow disk takes a while.
constexpr auto kFreezePatience = std::chrono::seconds(10);

// criu(8) --external of a namespace that is still there at the restore.
Result<std::string> ExternalNamespace(pid_t pid, const char* type, const char* key) {
  struct stat status {};
  const std::string path = fmt::format("/proc/{}/ns/{}", pid, type);
  if (::stat(path.c_str(), &status) != 0) return Error::Errno("look at '{}'", path);
  return fmt::format("{}[{}]:{}", type, status.st_ino, key);
}

// Called the same in config.json and in /proc.
Result<UniqueFd> OpenNamespace(pid_t pid, const std::string& type) {
  const std::string path = fmt::format("/proc/{}/ns/{}", pid, type);
  UniqueFd opened(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!opened.valid()) return Error::Errno("open '{}'", path);
  return opened;
}

// Without it the container can be restored as long as its cgroups are there.
std::optional<systemd::Scope> ReadScope(pid_t init, const runtime::SavedContainer& container) {
  const bool managed = runtime::CgroupsAreManaged(container);
  // Where nobody knows its state, only their names tell.
  const bool called_so =
      std::any_of(container.cgroups.begin(), container.cgroups.end(), [](const auto& place) {
        return place.own && runtime::ParseScopePath(place.path).has_value();
      });
  if (!managed && !called_so) return std::nullopt;
  auto found = systemd::FindScope(init);
  if (found.ok()) return *std::move(found);
  if (managed) {
    spdlog::warn("container '{}': {}; once systemd has removed its cgroups, it cannot be restored",
                 container.id, found.error().message);
  }
  return std::nullopt;
}

}  // namespace

Result<ContainerDump> ContainerDump::Prepare(pid_t init, runtime::SavedContainer container,
                                             std::vector<std::string> streams) {
  runtime::Freezer freezer = TRY(runtime::Freezer::Of(container.cgroups));
  ContainerDump dump(std::move(container), std::move(streams), std::move(freezer));
  dump.scope_ = ReadScope(init, dump.container_);
  return dump;
}

Result<void> ContainerDump::OpenRootfs(pid_t init, const std::string& base,
                                       const GoingOn& going_on) {
  rootfs_.emplace(TRY(runtime::RootfsDiff::Open(init, container_.id, base)));
  TRY(rootfs_->LookAhead(going_on));
  container_.layer = {.base = base};
  return {};
}

Result<void> ContainerDump::ApplyTo(criu::DumpRequest& request) {
  for (std::string& external : runtime::ExternalForDump(container_)) {
    request.external.push_back(std::move(external));
  }
  request.freeze_cgroup = freezer_.directory();
  request.console = container_.console;
  if (container_.own_network) request.empty_netns = true;
  for (const runtime::JoinedNamespace& joined : container_.joined) {
    if (joined.type == "pid") {
      request.external.push_back(TRY(ExternalNamespace(request.pid, "pid", runtime::kPidKey)));
    } else if (runtime::CriuRunsIn(container_, joined)) {
      entered_.push_back(TRY(OpenNamespace(request.pid, joined.type)));
      request.namespaces.push_back(entered_.back().ref());
    }
  }
  return {};
}

Result<void> ContainerDump::Freeze() {
  const auto begin = SteadyClock::now();
  auto frozen = freezer_.Freeze(begin + kFreezePatience);
  // Again: until now they could change.
  for (runtime::CgroupPlace& place : container_.cgroups) {
    if (frozen.ok() && place.own) frozen = runtime::ReadNested(container_.id, place);
  }
  freezing_ = std::chrono::duration_cast<std::chrono::microseconds>(SteadyClock::now() - begin);
  return frozen;
}

void ContainerDump::Thaw() {
  if (const auto thawed = freezer_.Thaw(); !thawed.ok()) {
    spdlog::error("container '{}': {}", container_.id, thawed.error().message);
  }
}

Result<void> ContainerDump::SaveMounts(pid_t init, FdRef images) const {
  TRY(runtime::SaveTmpfs(init, container_.mounts, images));
  return criu::MakeMountsInternal(images, TmpfsInImages(container_));
}

Result<void> ContainerDump::SaveRootfs(FdRef images, const GoingOn& going_on) {
  return rootfs_->Write(images, going_on)
      .Annotate(fmt::format("save what changed in the root of container '{}'", container_.id));
}

Result<void> ContainerDump::WriteStreams(FdRef images) const {
  TRY(CreateFileAt(
      images, "descriptors.json",
      nlohmann::json(streams_).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace)));
  return {};
}

}  // namespace crd
