#include "daemon/core/restore_cgroups.h"

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <map>
#include <sstream>
#include <utility>

#include <fcntl.h>
#include <unistd.h>

#include "daemon/base/cgroup_namespace.h"
#include "daemon/base/files.h"
#include "daemon/base/log.h"
#include "daemon/base/proc.h"
#include "daemon/core/errors.h"
#include "daemon/core/process_tree.h"
#include "daemon/runtime/nested_cgroups.h"
#include "daemon/runtime/refusals.h"
#include "daemon/runtime/runtime_state.h"
#include "daemon/runtime/scope_path.h"

namespace crd {
namespace {

constexpr auto kKillPatience = std::chrono::seconds(30);
constexpr auto kScopePatience = std::chrono::seconds(25);

Result<void> CheckEmpty(const std::string& id, const std::string& directory) {
  auto procs = ReadFile(directory + "/cgroup.procs");
  // One of cgroup2 for threads does not tell of processes.
  if (!procs.ok() && procs.error().sys_errno == EOPNOTSUPP) {
    procs = ReadFile(directory + "/cgroup.threads");
  }
  pid_t pid = 0;
  if (std::istringstream(TRY(std::move(procs))) >> pid) {
    return runtime::refusal::CgroupBusy(id, directory, pid);
  }
  return {};
}

// systemd makes a unit's cgroup, and knows of none that somebody else makes in its place.
Result<void> Check(const runtime::SavedContainer& container, const std::string& directory,
                   bool has_scope) {
  auto empty = CheckEmpty(container.id, directory);
  if (!empty.ok() && empty.error().code == Code::kNotFound) {
    if (has_scope || !runtime::CgroupsAreManaged(container)) return {};
    return runtime::refusal::CgroupGone(container.id, directory);
  }
  TRY(std::move(empty));
  for (const std::string& within : runtime::CgroupsWithin(directory)) {
    TRY(CheckEmpty(container.id, within));
  }
  return {};
}

Result<void> Move(const std::vector<pid_t>& pids, const std::string& directory) {
  const std::string path = directory + "/cgroup.procs";
  const UniqueFd procs(::open(path.c_str(), O_WRONLY | O_CLOEXEC));
  if (!procs.valid()) return Error::Errno("open '{}'", path);
  for (const pid_t pid : pids) {
    const std::string text = std::to_string(pid);
    // CRIU itself is among them, and may end at any time.
    if (::write(procs.get(), text.data(), text.size()) < 0 && errno != ESRCH) {
      return Error::Errno("move process {} into '{}'", pid, directory);
    }
  }
  return {};
}

// The scope that a container had, where it is to have it; nothing if it is to have none.
std::optional<systemd::Scope> ScopeOf(const runtime::SavedContainer& container,
                                      std::optional<systemd::Scope> scope) {
  for (const runtime::CgroupPlace& place : container.cgroups) {
    const auto path = place.own ? runtime::ParseScopePath(place.path) : std::nullopt;
    if (!scope || !path) continue;
    scope->name = path->scope;
    for (systemd::ScopeProperty& property : scope->properties) {
      if (property.name == "Slice") property.value = path->slice;
    }
    return scope;
  }
  return std::nullopt;
}

}  // namespace

RestoreCgroups::RestoreCgroups(const runtime::SavedContainer& container, const Manifest& manifest)
    : id_(container.id),
      places_(container.cgroups),
      old_places_(manifest.container->cgroups),
      scope_(ScopeOf(container, manifest.scope)),
      namespace_maker_(container.users.empty() ? Maker::kCrd : Maker::kCriu) {
  if (!container.own_cgroups || runtime::Joins(container, "cgroup")) {
    namespace_maker_ = Maker::kNobody;
  }
}

Result<RestoreCgroups> RestoreCgroups::Open(const runtime::SavedContainer& container,
                                            const Manifest& manifest) {
  RestoreCgroups cgroups(container, manifest);
  for (const runtime::CgroupPlace& place : container.cgroups) {
    if (place.own) TRY(Check(container, place.directory, cgroups.scope_.has_value()));
  }
  return cgroups;
}

const runtime::CgroupPlace* RestoreCgroups::InV2() const {
  const auto found = std::find_if(places_.begin(), places_.end(),
                                  [](const runtime::CgroupPlace& place) { return place.v2(); });
  return found == places_.end() || found->directory.empty() ? nullptr : &*found;
}

Result<void> RestoreCgroups::Make(FdRef images, const std::string& directory, Children& children) {
  if (scope_) {
    auto held = systemd::HeldScope::Start(*scope_, children, SteadyClock::now() + kScopePatience);
    if (!held.ok()) return errors::ScopeUnusable(id_, scope_->name, held.error());
    held_scope_.emplace(*std::move(held));
  }
  const pid_t keeper = held_scope_ ? held_scope_->keeper() : 0;
  made_.emplace(TRY(runtime::MadeCgroups::Make(id_, places_, keeper)));
  return MakeNamespace(images, directory);
}

// With its cgroups as roots.
Result<void> RestoreCgroups::MakeNamespace(FdRef images, const std::string& directory) {
  if (namespace_maker_ == Maker::kCriu) {
    yard_.emplace(TRY(criu::CgroupYard::Make(images, directory)));
  }
  if (namespace_maker_ != Maker::kCrd) return {};
  std::vector<std::string> roots;
  for (const runtime::CgroupPlace& place : places_) {
    if (!place.directory.empty()) roots.push_back(place.directory);
  }
  namespace_ = TRY(MakeCgroupNamespace(roots));
  return {};
}

Result<std::optional<Cgroup>> RestoreCgroups::Own() const {
  const runtime::CgroupPlace* place = InV2();
  if (place == nullptr || !place->own) return std::optional<Cgroup>();
  const std::size_t slash = place->directory.rfind('/');
  return std::optional(
      TRY(Cgroup::Create(place->directory.substr(0, slash), place->directory.substr(slash + 1))));
}

void RestoreCgroups::ApplyTo(criu::RestoreRequest& request) const {
  if (yard_) request.cgroup_yard = yard_->path();
  if (namespace_.valid()) request.namespaces.push_back(namespace_.ref());
  for (const runtime::CgroupPlace& place : places_) {
    // Also those that it shared: crd itself may be elsewhere.
    if (!place.v2() && !place.directory.empty()) request.cgroups_v1.push_back(place.directory);
  }
}

// It is where CRIU is, which is where it belongs, unless its cgroup2 is not its own: then it is in
// one of crd's.
Result<void> RestoreCgroups::RootNamespace(pid_t root) {
  const runtime::CgroupPlace* place = InV2();
  if (!yard_ || place == nullptr || place->own) return {};
  outside_ = TRY(PidFd::Open(root));
  return Move({root}, place->directory);
}

Result<void> RestoreCgroups::PlaceInNested(pid_t root, const std::string& aside) const {
  const bool any =
      std::any_of(places_.begin(), places_.end(), [](const runtime::CgroupPlace& place) {
        return !place.nested.empty() || !place.subtree_control.empty();
      });
  if (!any) return {};
  std::map<pid_t, pid_t> pids;
  const ProcessTree tree = TRY(ReadProcessTree(root));
  for (const TreeProcess& process : tree.processes()) {
    if (const auto inner = proc::ReadInnermostPid(process.pid); inner.ok()) {
      pids.emplace(*inner, process.pid);
    }
  }
  auto placed = runtime::PlaceProcesses(places_, pids, aside);
  if (placed.ok()) return placed;
  return runtime::refusal::CgroupUnusable(id_, id_, placed.error());
}

Result<void> RestoreCgroups::Adopt(pid_t root, const Cgroup* made_for_restore,
                                   const std::string& aside) {
  const runtime::CgroupPlace* place = InV2();
  if (made_for_restore != nullptr && place != nullptr) {
    TRY(Move(TRY(made_for_restore->Pids()), place->directory));
  }
  // The tree is in it now; and one that gives controllers must have nobody else.
  held_scope_.reset();
  return PlaceInNested(root, aside);
}

void RestoreCgroups::Undo() {
  if (!outside_) return;
  // With it ends its pid namespace.
  static_cast<void>(outside_->Signal(SIGKILL));
  if (!outside_->WaitExit(SteadyClock::now() + kKillPatience)) {
    spdlog::error("container '{}': process {} does not end", id_, outside_->pid());
  }
}

void RestoreCgroups::Keep(bool another) {
  if (made_) made_->Keep();
  if (another) return;
  // Its runtime does not know any more that these were its own.
  for (std::size_t i = 0; i < old_places_.size(); ++i) {
    const std::string& old = old_places_[i].directory;
    if (!old_places_[i].own || old == places_[i].directory) continue;
    for (const std::string& one : runtime::InnermostFirst(old)) {
      if (::rmdir(one.c_str()) == 0 || errno == ENOENT) continue;
      spdlog::warn("{}, ignoring", Error::Errno("remove the cgroup '{}'", one).message);
    }
  }
}

}  // namespace crd
