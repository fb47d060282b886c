#include "daemon/runtime/engine.h"

#include "daemon/base/files.h"
#include "daemon/runtime/oci_json.h"

namespace crd::runtime {
namespace {

using nlohmann::json;

std::string EngineOf(const RuntimeState& state, const Bundle& bundle) {
  if (!bundle.engine.empty()) return bundle.engine;
  // Wherever docker keeps its state ("/run/docker", its --exec-root).
  if (state.path.find("/runtime-runc/moby/") != std::string::npos) return "docker";
  return state.path.starts_with("/run/containerd/") ? "containerd" : "";
}

// podman's bundle is <storage>/<driver>-containers/<id>/userdata, beside a list of all of them.
Result<std::string> NameInPodman(const RuntimeState& state) {
  const std::string tail = "/" + state.id + "/userdata";
  if (!state.bundle.ends_with(tail)) return std::string();
  const std::string storage = state.bundle.substr(0, state.bundle.size() - tail.size());
  const std::string list = TRY(ReadFile(storage + "/containers.json"));
  const json all = TRY(ParseObject("{\"containers\":" + list + "}"));
  for (const json& one : *TRY(Objects(all, "containers"))) {
    if (TRY(Text(one, "id")) != state.id) continue;
    const std::vector<std::string> names = TRY(Texts(one, "names"));
    return names.empty() ? std::string() : names.front();
  }
  return std::string();
}

// docker mounts files of <data-root>/containers/<id>, where the container's configuration is.
Result<std::string> NameInDocker(const RuntimeState& state, const Bundle& bundle) {
  const std::string tail = "/containers/" + state.id + "/hostname";
  for (const Bundle::Mount& mount : bundle.mounts) {
    if (!mount.source.ends_with(tail)) continue;
    const std::string directory = mount.source.substr(0, mount.source.rfind('/'));
    const json config = TRY(ParseObject(TRY(ReadFile(directory + "/config.v2.json"))));
    std::string name = TRY(Text(config, "Name"));
    return name.starts_with('/') ? name.substr(1) : name;
  }
  return std::string();
}

}  // namespace

EngineContainer FindEngine(const RuntimeState& state, const Bundle& bundle) {
  EngineContainer found{.engine = EngineOf(state, bundle), .name = {}};
  const auto name = found.engine == "podman"   ? NameInPodman(state)
                    : found.engine == "docker" ? NameInDocker(state, bundle)
                                               : Result<std::string>(std::string());
  if (name.ok()) found.name = *name;
  return found;
}

EngineContainer FindEngine(const RuntimeState& state) {
  const auto bundle = ReadBundle(state.id, state.bundle);
  return bundle.ok() ? FindEngine(state, *bundle) : EngineContainer{};
}

}  // namespace crd::runtime
