#include "daemon/runtime/runtime_state.h"

#include <limits>

#include "daemon/runtime/oci_json.h"

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

Error NoState(std::string_view what) {
  return {.code = Code::kDataLoss, .message = fmt::format("it has no {}", what)};
}

}  // namespace

Result<RuntimeState> ParseState(Kind kind, std::string_view id, std::string_view text) {
  const json state = TRY(ParseObject(text));
  const Names& names = NamesOf(kind);
  if (!state.contains(names.pid)) return NoState(fmt::format("'{}'", names.pid));
  const std::int64_t pid = TRY(Number(state, names.pid));
  const std::int64_t start_time = TRY(Number(state, names.start_time));
  if (pid < 0 || pid > std::numeric_limits<pid_t>::max() || start_time < 0) {
    return NoState("pid that could be one");
  }
  RuntimeState parsed{.kind = kind,
                      .id = std::string(id),
                      .pid = static_cast<pid_t>(pid),
                      .start_time = static_cast<std::uint64_t>(start_time),
                      .created = TRY(Text(state, "created"))};
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

}  // namespace crd::runtime
