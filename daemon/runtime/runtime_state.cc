#include "daemon/runtime/runtime_state.h"

#include <algorithm>
#include <array>
#include <limits>

#include "daemon/runtime/oci_json.h"
#include "daemon/runtime/scope_path.h"

namespace crd::runtime {
namespace {

using nlohmann::json;

constexpr std::string_view kBundleLabel = "bundle=";

struct Names {
  const char* pid;
  const char* start_time;
};
constexpr Names kRuncNames = {.pid = "init_process_pid", .start_time = "init_process_start"};
constexpr Names kCrunNames = {.pid = "pid", .start_time = "process-start-time"};
constexpr const Names& NamesOf(Kind kind) { return kind == Kind::kRunc ? kRuncNames : kCrunNames; }

// runc keeps the bundle among the labels of its configuration.
Result<std::string> RuncBundle(const json& state) {
  const json* config = TRY(Object(state, "config"));
  for (const std::string& label : TRY(Texts(*config, "labels"))) {
    if (label.starts_with(kBundleLabel)) return label.substr(kBundleLabel.size());
  }
  return std::string();
}

// Empty where it made none.
std::vector<std::string> CgroupsIn(Kind kind, const json& state) {
  std::vector<std::string> cgroups;
  if (kind == Kind::kCrun) {
    const auto path = state.find("cgroup-path");
    if (path != state.end() && path->is_string()) cgroups.push_back(path->get<std::string>());
    return cgroups;
  }
  const auto paths = state.find("cgroup_paths");
  if (paths == state.end() || !paths->is_object()) return cgroups;
  for (const auto& [controller, path] : paths->items()) {
    if (path.is_string()) cgroups.push_back(path.get<std::string>());
  }
  return cgroups;
}

constexpr std::array<std::string_view, 10> kRuncMembers = {
    "id",       "init_process_pid", "init_process_start", "created",        "config",
    "rootless", "cgroup_paths",     "namespace_paths",    "intel_rdt_path", "external_descriptors"};
constexpr std::array<std::string_view, 12> kCrunMembers = {
    "pid",      "process-start-time",  "cgroup-path", "scope",   "intelrdt",
    "rootfs",   "systemd-cgroup",      "bundle",      "created", "owner",
    "detached", "external_descriptors"};
// Of the OCI runtime specification: what runc writes as the version of its configuration.
constexpr std::array<std::string_view, 3> kSpecifications = {"1.0.", "1.1.", "1.2."};

Error UnknownVersion(std::string what) {
  return {.code = Code::kUnimplemented, .message = std::move(what)};
}

template <typename List>
Result<void> CheckMembers(const json& state, const List& known, Kind kind) {
  for (const auto& [name, value] : state.items()) {
    if (std::find(known.begin(), known.end(), name) != known.end()) continue;
    return UnknownVersion(fmt::format("'{}' in it is of a version of {} that crd does not know",
                                      name, KindName(kind)));
  }
  return {};
}

std::string TextOr(const json& object, const char* name) {
  const auto text = Text(object, name);
  return text.ok() ? *text : "";
}

Result<void> CheckVersion(Kind kind, const json& state) {
  if (kind == Kind::kCrun) return CheckMembers(state, kCrunMembers, kind);
  TRY(CheckMembers(state, kRuncMembers, kind));
  const json* config = TRY(Object(state, "config"));
  const std::string version = TRY(Text(*config, "version"));
  const bool known = std::any_of(kSpecifications.begin(), kSpecifications.end(),
                                 [&](std::string_view one) { return version.starts_with(one); });
  if (known) return {};
  return UnknownVersion(fmt::format(
      "it follows version '{}' of the specification, which crd does not know", version));
}

Error NoState(std::string_view what) {
  return {.code = Code::kDataLoss, .message = fmt::format("it has no {}", what)};
}

}  // namespace

Result<RuntimeState> ParseState(Kind kind, std::string_view id, std::string_view text) {
  const json state = TRY(ParseObject(text));
  const Names& names = NamesOf(kind);
  if (!state.contains(names.pid)) return NoState(fmt::format("'{}'", names.pid));
  TRY(CheckVersion(kind, state));
  const std::int64_t pid = TRY(Number(state, names.pid));
  const std::int64_t start_time = TRY(Number(state, names.start_time));
  if (pid < 0 || pid > std::numeric_limits<pid_t>::max() || start_time < 0) {
    return NoState("pid that could be one");
  }
  RuntimeState parsed{.kind = kind,
                      .id = std::string(id),
                      .pid = static_cast<pid_t>(pid),
                      .start_time = static_cast<std::uint64_t>(start_time),
                      .created = TRY(Text(state, "created")),
                      .cgroups = CgroupsIn(kind, state)};
  parsed.bundle = kind == Kind::kRunc ? TRY(RuncBundle(state)) : TRY(Text(state, "bundle"));
  if (!parsed.bundle.starts_with('/')) return NoState("bundle with an absolute path");
  if (kind == Kind::kRunc && TRY(Text(state, "id")) != id) {
    return NoState(fmt::format("id that agrees with its directory '{}'", id));
  }
  return parsed;
}

Result<std::string> WithProcess(Kind kind, std::string_view text, const ProcessIdentity& process) {
  json state = TRY(ParseObject(text));
  const Names& names = NamesOf(kind);
  state[names.pid] = process.pid;
  state[names.start_time] = process.start_time;
  if (kind == Kind::kCrun) return state.dump(1, '\t');
  if (auto paths = state.find("namespace_paths"); paths != state.end() && paths->is_object()) {
    for (auto& [name, path] : paths->items()) {
      if (!path.is_string()) continue;
      // "/proc/4711/ns/net"; a namespace that was joined by a path has that path instead.
      const auto& old = path.get_ref<const std::string&>();
      const std::size_t at = old.rfind("/ns/");
      if (!old.starts_with("/proc/") || at == std::string::npos) continue;
      path = fmt::format("/proc/{}{}", process.pid, old.substr(at));
    }
  }
  return state.dump();
}

namespace {

// "/sys/fs/cgroup/memory/old" -> "/sys/fs/cgroup/memory/new".
std::string Moved(const std::string& path, const std::string& from, const std::string& to) {
  if (from == to || !path.ends_with(from)) return path;
  return path.substr(0, path.size() - from.size()) + to;
}

void MoveRuncCgroups(json& state, const Place& place) {
  const auto paths = state.find("cgroup_paths");
  if (paths == state.end() || !paths->is_object()) return;
  for (auto& [controller, path] : paths->items()) {
    for (std::size_t i = 0; i < place.cgroups.size(); ++i) {
      const CgroupPlace& old = place.old_cgroups[i];
      const bool fits = controller.empty() ? old.v2() : old.Has(controller);
      if (!fits || !old.own || !path.is_string()) continue;
      path = Moved(path.get<std::string>(), old.path, place.cgroups[i].path);
      break;
    }
  }
}

std::optional<ScopePath> FindScope(const Place& place) {
  for (const CgroupPlace& one : place.cgroups) {
    if (auto scope = one.own ? ParseScopePath(one.path) : std::nullopt) return scope;
  }
  return std::nullopt;
}

// It calls the unit "<prefix>-<name>.scope".
void NameRuncScope(json& cgroups, const ScopePath& scope) {
  const std::string unit = scope.scope.substr(0, scope.scope.rfind('.'));
  const std::string prefix = TextOr(cgroups, "scope_prefix");
  const std::size_t dash = unit.starts_with(prefix + "-") ? prefix.size() : unit.rfind('-');
  cgroups["scope_prefix"] = unit.substr(0, dash);
  cgroups["name"] = unit.substr(dash + 1);
  cgroups["parent"] = scope.slice;
}

void MoveRunc(json& state, const Place& place) {
  state["id"] = place.id;
  json& config = state["config"];
  config["rootfs"] = place.rootfs;
  for (json& label : config["labels"]) {
    if (label.is_string() && label.get_ref<const std::string&>().starts_with(kBundleLabel)) {
      label = std::string(kBundleLabel) + place.bundle;
    }
  }
  MoveRuncCgroups(state, place);
  json& cgroups = config["cgroups"];
  if (!cgroups.is_object() || place.cgroups == place.old_cgroups) return;
  if (const auto scope = FindScope(place)) return NameRuncScope(cgroups, *scope);
  cgroups["name"] = place.id;
  for (std::size_t i = 0; i < place.cgroups.size(); ++i) {
    if (!cgroups.contains("path") || !cgroups["path"].is_string()) break;
    cgroups["path"] =
        Moved(cgroups["path"].get<std::string>(), place.old_cgroups[i].path, place.cgroups[i].path);
  }
}

void MoveCrun(json& state, const Place& place) {
  if (TextOr(state, "bundle") != place.bundle) state["rootfs"] = place.rootfs;
  state["bundle"] = place.bundle;
  const auto scope = FindScope(place);
  if (scope && state.contains("scope")) state["scope"] = scope->scope;
  const std::string path = TextOr(state, "cgroup-path");
  for (std::size_t i = 0; i < place.cgroups.size(); ++i) {
    if (!place.old_cgroups[i].own || place.old_cgroups[i].path != path) continue;
    state["cgroup-path"] = place.cgroups[i].path;
    return;
  }
}

}  // namespace

Result<std::string> WithPlace(Kind kind, std::string_view text, const Place& place) {
  json state = TRY(ParseObject(text));
  TRY(CheckVersion(kind, state));
  if (kind == Kind::kCrun) {
    MoveCrun(state, place);
    return state.dump(1, '\t');
  }
  MoveRunc(state, place);
  return state.dump();
}

Result<bool> CgroupsAreManaged(Kind kind, std::string_view text) {
  const json state = TRY(ParseObject(text));
  if (kind == Kind::kCrun) return Flag(state, "systemd-cgroup");
  const json* config = TRY(Object(state, "config"));
  return Flag(*TRY(Object(*config, "cgroups")), "Systemd");
}

bool CgroupsAreManaged(const SavedContainer& container) {
  for (const auto& [name, text] : container.state_files) {
    if (name == "config.json") continue;
    const auto managed = CgroupsAreManaged(container.kind, text);
    if (managed.ok() && *managed) return true;
  }
  return false;
}

}  // namespace crd::runtime
