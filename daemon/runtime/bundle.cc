#include "daemon/runtime/bundle.h"

#include <algorithm>

#include "daemon/base/files.h"
#include "daemon/runtime/oci_json.h"
#include "daemon/runtime/refusals.h"

namespace crd::runtime {
namespace {

using nlohmann::json;

constexpr const char* kHooks[] = {"prestart",       "createRuntime", "createContainer",
                                  "startContainer", "poststart",     "poststop"};

Error Wrong(std::string what) { return {.code = Code::kDataLoss, .message = std::move(what)}; }

Result<std::vector<Bundle::Mount>> ReadMounts(const json& config) {
  std::vector<Bundle::Mount> mounts;
  for (const json& item : *TRY(Objects(config, "mounts"))) {
    Bundle::Mount mount{.destination = TRY(Text(item, "destination")),
                        .type = TRY(Text(item, "type")),
                        .source = TRY(Text(item, "source"))};
    if (mount.destination.empty()) return Wrong("a mount has no 'destination'");
    const std::vector<std::string> options = TRY(Texts(item, "options"));
    mount.bind = mount.type == "bind" || std::any_of(options.begin(), options.end(), [](auto& o) {
                   return o == "bind" || o == "rbind";
                 });
    mounts.push_back(std::move(mount));
  }
  return mounts;
}

Result<std::vector<Bundle::Namespace>> ReadNamespaceList(const json& linux_part) {
  std::vector<Bundle::Namespace> namespaces;
  for (const json& item : *TRY(Objects(linux_part, "namespaces"))) {
    namespaces.push_back({.type = TRY(Text(item, "type")), .path = TRY(Text(item, "path"))});
  }
  return namespaces;
}

Result<std::vector<std::string>> ReadPaths(const json& object, const char* list) {
  std::vector<std::string> paths;
  for (const json& item : *TRY(Objects(object, list))) paths.push_back(TRY(Text(item, "path")));
  return paths;
}

Result<std::vector<IdRange>> ReadIds(const json& linux_part, const char* list) {
  std::vector<IdRange> ranges;
  for (const json& item : *TRY(Objects(linux_part, list))) {
    ranges.push_back({.inside = TRY(Number32(item, "containerID")),
                      .outside = TRY(Number32(item, "hostID")),
                      .count = TRY(Number32(item, "size"))});
  }
  std::sort(ranges.begin(), ranges.end());
  return ranges;
}

std::string EngineOf(const json& annotations) {
  for (const auto& [name, value] : annotations.items()) {
    if (name == "io.container.manager" && value == "libpod") return "podman";
    if (name.starts_with("io.kubernetes.cri-o.")) return "CRI-O";
    if (name.starts_with("io.kubernetes.cri.")) return "containerd";
  }
  return "";
}

}  // namespace

const Bundle::Namespace* Bundle::FindNamespace(std::string_view type) const {
  const auto found = std::find_if(namespaces.begin(), namespaces.end(),
                                  [&](const Namespace& one) { return one.type == type; });
  return found == namespaces.end() ? nullptr : &*found;
}

Result<Bundle> ParseBundle(std::string_view directory, std::string_view text) {
  const json config = TRY(ParseObject(text));
  const json* root = TRY(Object(config, "root"));
  const json* process = TRY(Object(config, "process"));
  const json* linux_part = TRY(Object(config, "linux"));
  Bundle bundle{.path = std::string(directory),
                .rootfs = TRY(Text(*root, "path")),
                .read_only = TRY(Flag(*root, "readonly")),
                .terminal = TRY(Flag(*process, "terminal")),
                .mounts = TRY(ReadMounts(config)),
                .namespaces = TRY(ReadNamespaceList(*linux_part)),
                .devices = TRY(ReadPaths(*linux_part, "devices")),
                .masked_paths = TRY(Texts(*linux_part, "maskedPaths")),
                .read_only_paths = TRY(Texts(*linux_part, "readonlyPaths")),
                .cgroups_path = TRY(Text(*linux_part, "cgroupsPath")),
                .engine = EngineOf(*TRY(Object(config, "annotations")))};
  if (const auto* users = bundle.FindNamespace("user"); users != nullptr && users->path.empty()) {
    bundle.users.users = TRY(ReadIds(*linux_part, "uidMappings"));
    bundle.users.groups = TRY(ReadIds(*linux_part, "gidMappings"));
  }
  if (bundle.rootfs.empty()) return Wrong("it names no root file system ('root.path')");
  if (!bundle.rootfs.starts_with('/'))
    bundle.rootfs = fmt::format("{}/{}", directory, bundle.rootfs);
  const json* hooks = TRY(Object(config, "hooks"));
  for (const char* when : kHooks) {
    for (std::string& path : TRY(ReadPaths(*hooks, when))) bundle.hooks.push_back(std::move(path));
  }
  return bundle;
}

Result<Bundle> ReadBundle(std::string_view id, const std::string& directory) {
  const std::string path = directory + "/config.json";
  const auto opened = OpenDirectory(directory);
  if (!opened.ok()) return refusal::BundleUnreadable(id, path, opened.error());
  const auto text = ReadFileAt(opened->ref(), "config.json");
  if (!text.ok()) return refusal::BundleUnreadable(id, path, text.error());
  auto bundle = ParseBundle(directory, *text);
  if (!bundle.ok()) return refusal::BundleUnreadable(id, path, bundle.error());
  return bundle;
}

}  // namespace crd::runtime
