#include "daemon/runtime/find.h"

#include <algorithm>
#include <utility>

#include <fcntl.h>
#include <unistd.h>

#include "daemon/base/files.h"
#include "daemon/base/proc.h"
#include "daemon/runtime/cgroups.h"
#include "daemon/runtime/engine.h"
#include "daemon/runtime/freezer.h"
#include "daemon/runtime/refusals.h"
#include "daemon/runtime/runtime_state.h"

namespace crd::runtime {
namespace {

constexpr const char* kFixedRoots[] = {
    "/run/runc",                      // runc; podman and CRI-O with runc
    "/run/crun",                      // crun; podman and CRI-O with crun
    "/run/docker/runtime-runc/moby",  // docker
};
constexpr const char* kContainerdRoot = "/run/containerd/runc";  // a root per namespace

constexpr const char* StateName(Kind kind) { return kind == Kind::kRunc ? "state.json" : "status"; }

bool Exists(FdRef directory, const char* name) {
  return ::faccessat(directory.get(), name, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

Status StatusIn(const RuntimeState& state, FdRef directory) {
  const Status status = StatusOf(state);
  // Both runtimes' init waits until somebody opens this FIFO, which `start` then removes.
  const bool waits = status != Status::kStopped && Exists(directory, "exec.fifo");
  return waits ? Status::kCreated : status;
}

// Empty when there is no state in this directory.
Result<std::optional<Container>> ReadContainer(const std::string& root, const std::string& id) {
  const std::string path = root + "/" + id;
  const auto directory = OpenDirectory(path);
  if (!directory.ok()) return std::optional<Container>();
  for (const Kind kind : {Kind::kRunc, Kind::kCrun}) {
    const std::string file = path + "/" + StateName(kind);
    auto text = ReadFileAt(directory->ref(), StateName(kind));
    if (!text.ok() && text.error().code == Code::kNotFound) continue;
    if (!text.ok()) return refusal::StateUnreadable(file, text.error());
    auto state = ParseState(kind, id, *text);
    if (!state.ok()) return refusal::StateUnreadable(file, state.error());
    state->path = file;
    const Status status = StatusIn(*state, directory->ref());
    return std::optional(Container{.state = std::move(*state), .status = status});
  }
  return std::optional<Container>();
}

std::vector<std::string> Ids(const std::string& root) {
  const auto directory = OpenDirectory(root);
  if (!directory.ok()) return {};
  auto names = ListDirectory(directory->ref());
  return names.ok() ? std::move(*names) : std::vector<std::string>();
}

// What engines call their containers.
std::vector<Container> FindByName(const std::vector<std::string>& roots, const Wanted& wanted) {
  std::vector<Container> fitting;
  for (Container& container : List(roots).containers) {
    if (wanted.kind && container.state.kind != *wanted.kind) continue;
    if (!wanted.key.empty() && FindEngine(container.state).name == wanted.key) {
      fitting.push_back(std::move(container));
    }
  }
  return fitting;
}

std::string Describe(const Container& container) {
  return fmt::format("{} ({})", container.state.id, container.state.path);
}

}  // namespace

std::vector<std::string> DefaultRoots() {
  std::vector<std::string> roots(std::begin(kFixedRoots), std::end(kFixedRoots));
  for (const std::string& name : Ids(kContainerdRoot)) {
    roots.push_back(fmt::format("{}/{}", kContainerdRoot, name));
  }
  return roots;
}

Status StatusOf(const RuntimeState& state) {
  if (!InitIsAlive(state)) return Status::kStopped;
  const auto cgroups = CgroupsOf(state.pid, state.cgroups);
  return cgroups.ok() && IsFrozen(*cgroups) ? Status::kPaused : Status::kRunning;
}

bool InitIsAlive(const RuntimeState& state) {
  if (state.pid == 0) return false;
  const auto process = proc::ProcDir::Open(state.pid);
  if (!process.ok()) return false;
  const auto stat = proc::ReadStat(*process);
  return stat.ok() && stat->start_time == state.start_time && stat->state != 'Z' &&
         stat->state != 'X';
}

Found List(const std::vector<std::string>& roots) {
  Found found;
  for (const std::string& root : roots) {
    for (const std::string& id : Ids(root)) {
      auto container = ReadContainer(root, id);
      if (!container.ok()) {
        found.problems.push_back(std::move(container).error());
      } else if (container->has_value()) {
        found.containers.push_back(**std::move(container));
      }
    }
  }
  return found;
}

Result<std::optional<Container>> Find(const std::vector<std::string>& roots, const Wanted& wanted) {
  std::vector<Container> exact;
  std::vector<Container> beginning;
  for (const std::string& root : roots) {
    for (const std::string& id : Ids(root)) {
      if (wanted.key.empty() || !id.starts_with(wanted.key)) continue;
      auto container = ReadContainer(root, id);
      if (!container.ok() && id != wanted.key) continue;
      auto read = TRY(std::move(container));
      if (!read || (wanted.kind && read->state.kind != *wanted.kind)) continue;
      (id == wanted.key ? exact : beginning).push_back(*std::move(read));
    }
  }
  std::vector<Container> named = exact.empty() ? FindByName(roots, wanted) : exact;
  std::vector<Container>& fitting = named.empty() ? beginning : named;
  if (fitting.empty()) return std::optional<Container>();
  if (fitting.size() == 1) return std::optional(std::move(fitting.front()));
  std::vector<std::string> names;
  std::transform(fitting.begin(), fitting.end(), std::back_inserter(names), Describe);
  return refusal::TwoRuntimes(wanted.key, names);
}

std::optional<Container> FindByPid(const std::vector<std::string>& roots, pid_t pid) {
  Found found = List(roots);
  for (Container& container : found.containers) {
    if (container.state.pid == pid && container.status != Status::kStopped) {
      return std::move(container);
    }
  }
  return std::nullopt;
}

}  // namespace crd::runtime
