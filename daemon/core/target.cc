#include "daemon/core/target.h"

#include <algorithm>

#include "daemon/base/proc.h"
#include "daemon/core/errors.h"
#include "daemon/runtime/describe.h"
#include "daemon/runtime/described.h"
#include "daemon/runtime/find.h"
#include "daemon/runtime/refusals.h"
#include "daemon/runtime/rootfs_diff.h"

namespace crd {
namespace {

std::optional<runtime::Kind> KindOf(const std::string& name) {
  if (name.empty()) return std::nullopt;
  return name == runtime::KindName(runtime::Kind::kRunc) ? runtime::Kind::kRunc
                                                         : runtime::Kind::kCrun;
}

Result<std::optional<ResolvedTarget>> FindInRuntimes(const EngineParts& parts,
                                                     const RuntimeTarget& wanted) {
  auto found = TRY(runtime::Find(RuntimeRoots(parts, wanted.root),
                                 {.key = wanted.key, .kind = KindOf(wanted.runtime)}));
  if (!found.has_value()) return std::optional<ResolvedTarget>();
  const pid_t pid = found->state.pid;
  return std::optional(ResolvedTarget{.pid = pid, .container = std::move(found)});
}

// A process in a mount namespace of its own may be the init of a container.
ResolvedTarget WithContainer(const EngineParts& parts, pid_t pid) {
  ResolvedTarget target{.pid = pid};
  const auto process = proc::ProcDir::Open(pid);
  const auto self = proc::ProcDir::Open(::getpid());
  if (!process.ok() || !self.ok()) return target;
  const auto its = proc::ReadNamespace(*process, "mnt");
  const auto own = proc::ReadNamespace(*self, "mnt");
  if (its.ok() && own.ok() && *its != *own) {
    target.container = runtime::FindByPid(RuntimeRoots(parts, ""), pid);
  }
  return target;
}

void Add(const runtime::OutsideFile& file, Preflight& preflight) {
  preflight.external.push_back(file.key);
  preflight.stdio.push_back({.kind = StdioLink::Kind::kFile,
                             .key = file.key,
                             .pid = file.pid,
                             .fd = file.fd,
                             .readable = file.readable,
                             .writable = file.writable,
                             .path = file.path});
}

// That its own root may not restore.
const OpenSocket* FindConnection(const std::vector<OpenSocket>& sockets) {
  const auto found = std::find_if(sockets.begin(), sockets.end(), [](const OpenSocket& socket) {
    return socket.protocol == "tcp" && !socket.peer.empty();
  });
  return found == sockets.end() ? nullptr : &*found;
}

Result<void> AddNetwork(const runtime::Description& container, const criu::DumpOptions& options,
                        Preflight& preflight) {
  if (!container.network_path) return {};
  const std::string& path = *container.network_path;
  const pid_t init = preflight.tree.root().pid;
  preflight.network = TRY(ReadTreeNetwork(init));
  if (!preflight.network.has_value()) return {};
  TreeNetwork& network = *preflight.network;
  network.key = runtime::kNetworkKey;
  network.joined = !path.empty();
  if (!container.saved.users.empty()) {
    network.for_criu = network.joined ? NetnsForCriu::kEntered : NetnsForCriu::kMade;
  }
  if (network.joined) network.path = path;
  const OpenSocket* connection = FindConnection(preflight.sockets);
  if (network.for_criu == NetnsForCriu::kEntered && options.tcp_established && connection) {
    preflight.obstacles.push_back({.pid = connection->pid,
                                   .error = runtime::refusal::ConnectionBesideUserNamespace(
                                       container.saved.id, connection->local, connection->peer)});
  }
  // Whoever has bound it keeps one that is of no use to the next.
  if (network.for_criu == NetnsForCriu::kMade) network.path.clear();
  if (network.for_criu == NetnsForCriu::kMade && options.network == criu::NetworkSaving::kCriu) {
    preflight.obstacles.push_back(
        {.pid = init, .error = runtime::refusal::NetworkOfUsersByCriu(container.saved.id)});
  }
  if (auto whole = CheckReproducible(network, options.network); !whole.ok()) {
    preflight.obstacles.push_back({.pid = init, .error = std::move(whole).error()});
  }
  return {};
}

Result<void> AddContainer(const runtime::Container& container, const criu::DumpOptions& options,
                          bool force, bool kill_exec, InspectedTarget& inspected) {
  Preflight& preflight = inspected.preflight;
  std::vector<pid_t> pids;
  for (const TreeProcess& process : preflight.tree.processes()) pids.push_back(process.pid);
  runtime::Description description = TRY(runtime::Describe(container, pids));
  for (runtime::ContainerObstacle& obstacle : description.obstacles) {
    preflight.obstacles.push_back({.pid = obstacle.pid, .error = std::move(obstacle.error)});
  }
  for (runtime::ContainerObstacle& stranger : description.execed) {
    inspected.execed.push_back(stranger.pid);
    if (!kill_exec) {
      preflight.obstacles.push_back({.pid = stranger.pid, .error = std::move(stranger.error)});
    }
  }
  if (!description.engine.empty() && !options.leave_running && !force) {
    preflight.obstacles.push_back(
        {.error = runtime::refusal::EngineWouldClean(container.state.id, description.engine)});
  }
  if (options.link_remap) {
    preflight.obstacles.push_back(
        {.error = runtime::refusal::LinkRemapUnsupported(container.state)});
  }
  for (const runtime::OutsideFile& file : description.files) Add(file, preflight);
  for (StdioLink& link : preflight.stdio) {
    const auto inner = proc::ReadInnermostPid(link.pid);
    if (inner.ok()) link.pid = *inner;
  }
  TRY(AddNetwork(description, options, preflight));
  inspected.container = std::move(description.saved);
  inspected.container->console = preflight.console;
  const proc::ProcDir init = TRY(proc::ProcDir::Open(pids.front()));
  for (const char* stream : {"fd/0", "fd/1", "fd/2"}) {
    const auto link = init.ReadLink(stream);
    inspected.streams.push_back(link.ok() ? *link : "");
  }
  return {};
}

}  // namespace

std::vector<std::string> RuntimeRoots(const EngineParts& parts, const std::string& extra) {
  std::vector<std::string> roots = parts.runtime_roots();
  const bool known = std::find(roots.begin(), roots.end(), extra) != roots.end();
  if (!extra.empty() && !known) roots.push_back(extra);
  return roots;
}

Result<ResolvedTarget> ResolveTarget(const EngineParts& parts, const Target& target) {
  if (const auto* pid = std::get_if<pid_t>(&target)) return WithContainer(parts, *pid);
  if (const auto* wanted = std::get_if<RuntimeTarget>(&target)) {
    auto found = TRY(FindInRuntimes(parts, *wanted));
    if (!found.has_value()) return errors::ContainerNotFound(wanted->key);
    return *std::move(found);
  }
  if (const auto* described = std::get_if<DescribedTarget>(&target)) {
    auto container = TRY(runtime::CheckDescription(
        {.pid = described->pid,
         .kind = KindOf(described->runtime).value_or(runtime::Kind::kRunc),
         .id = described->id,
         .bundle = described->bundle,
         .rootfs = described->rootfs,
         .state_path = described->state_path}));
    return ResolvedTarget{.pid = described->pid, .container = std::move(container)};
  }
  const auto& key = std::get<std::string>(target);
  const auto container = parts.inventory.FindContainer(key);
  if (!container.ok() && container.error().reason == "CONTAINER_NOT_FOUND") {
    auto found = TRY(FindInRuntimes(parts, {.key = key}));
    if (found.has_value()) return *std::move(found);
  }
  if (!container.ok()) return container.error();
  if (!IsLive(container->state)) return errors::ContainerEnded(container->id, container->state);
  TRY(PidFd::Reopen(container->process));
  return WithContainer(parts, container->process.pid);
}

Result<InspectedTarget> InspectTarget(const ResolvedTarget& target,
                                      const criu::DumpOptions& options, bool kill_exec,
                                      PreflightContext context) {
  context.container = target.container.has_value();
  if (target.container && target.container->status != runtime::Status::kRunning) {
    // Refused by its own name, before its pid is believed.
    TRY(runtime::Describe(*target.container, {}));
  }
  InspectedTarget inspected{.preflight = TRY(InspectTree(target.pid, options, context))};
  if (target.container)
    TRY(AddContainer(*target.container, options, context.force, kill_exec, inspected));
  return inspected;
}

void CheckRootfsDiff(const std::string& base, InspectedTarget& inspected) {
  const pid_t init = inspected.preflight.tree.root().pid;
  std::vector<Obstacle>& obstacles = inspected.preflight.obstacles;
  if (!inspected.container) {
    obstacles.push_back({.pid = init, .error = errors::RootfsDiffOfTree(init)});
    return;
  }
  auto opened = runtime::RootfsDiff::Open(init, inspected.container->id, base);
  if (!opened.ok()) obstacles.push_back({.pid = init, .error = std::move(opened).error()});
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
