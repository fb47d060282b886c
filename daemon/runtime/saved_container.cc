#include "daemon/runtime/saved_container.h"

#include <set>

#include "daemon/runtime/oci_json.h"
#include "daemon/runtime/saved_cgroups.h"

namespace crd::runtime {

using nlohmann::json;

namespace {

json MountToJson(const SavedMount& mount) {
  json object = {{"mountpoint", mount.mountpoint}, {"key", mount.key},
                 {"source", mount.source},         {"on_root", mount.on_root},
                 {"directory", mount.directory},   {"read_only", mount.read_only},
                 {"nosuid", mount.nosuid},         {"nodev", mount.nodev},
                 {"noexec", mount.noexec}};
  if (mount.tmpfs) {
    object["tmpfs"] = {{"device", mount.tmpfs->device},
                       {"name", mount.tmpfs->name},
                       {"options", mount.tmpfs->options},
                       {"read_only", mount.tmpfs->read_only}};
  }
  return object;
}

Result<std::optional<SavedTmpfs>> TmpfsFromJson(const json& object) {
  if (!object.contains("tmpfs")) return std::optional<SavedTmpfs>();
  const json* tmpfs = TRY(Object(object, "tmpfs"));
  return std::optional(SavedTmpfs{.device = TRY(Number32(*tmpfs, "device")),
                                  .name = TRY(Text(*tmpfs, "name")),
                                  .options = TRY(Text(*tmpfs, "options")),
                                  .read_only = TRY(Flag(*tmpfs, "read_only"))});
}

Result<SavedMount> MountFromJson(const json& object) {
  return SavedMount{.mountpoint = TRY(Text(object, "mountpoint")),
                    .key = TRY(Text(object, "key")),
                    .source = TRY(Text(object, "source")),
                    .tmpfs = TRY(TmpfsFromJson(object)),
                    .on_root = TRY(Flag(object, "on_root")),
                    .directory = TRY(Flag(object, "directory")),
                    .read_only = TRY(Flag(object, "read_only")),
                    .nosuid = TRY(Flag(object, "nosuid")),
                    .nodev = TRY(Flag(object, "nodev")),
                    .noexec = TRY(Flag(object, "noexec"))};
}

Error Wrong(const char* what) {
  return {.code = Code::kDataLoss, .message = fmt::format("'{}' is not as crd writes it", what)};
}

// Larger than any path.
Result<void> ReadStateFiles(const json& object, SavedContainer& container) {
  for (const auto& [name, text] : TRY(Object(object, "state_files"))->items()) {
    if (!text.is_string() || name.find('/') != std::string::npos) return Wrong("state_files");
    container.state_files[name] = text.get<std::string>();
  }
  return {};
}

json IdsToJson(const std::vector<IdRange>& ranges) {
  json list = json::array();
  for (const IdRange& range : ranges) {
    list.push_back({{"inside", range.inside}, {"outside", range.outside}, {"count", range.count}});
  }
  return list;
}

// Of checkpoints made before crd knew user namespaces it is not there.
Result<std::vector<IdRange>> IdsFromJson(const json& object, const char* name) {
  std::vector<IdRange> ranges;
  for (const json& item : *TRY(Objects(object, name))) {
    ranges.push_back({.inside = TRY(Number32(item, "inside")),
                      .outside = TRY(Number32(item, "outside")),
                      .count = TRY(Number32(item, "count"))});
  }
  return ranges;
}

}  // namespace

std::string SavedTmpfs::Archive() const { return fmt::format("tmpfs-dev-{}.tar.gz.img", device); }

json ToJson(const SavedContainer& container) {
  json object = {{"runtime", KindName(container.kind)},
                 {"state_path", container.state_path},
                 {"id", container.id},
                 {"bundle", container.bundle},
                 {"rootfs", container.rootfs},
                 {"own_pids", container.own_pids},
                 {"own_network", container.own_network},
                 {"loopback_up", container.loopback_up},
                 {"console", container.console},
                 {"own_cgroups", container.own_cgroups},
                 {"users", IdsToJson(container.users.users)},
                 {"groups", IdsToJson(container.users.groups)},
                 {"joined", json::array()},
                 {"state_files", container.state_files},
                 {"mounts", json::array()},
                 {"cgroups", json::array()}};
  for (const SavedMount& mount : container.mounts) object["mounts"].push_back(MountToJson(mount));
  for (const CgroupPlace& place : container.cgroups) object["cgroups"].push_back(ToJson(place));
  for (const JoinedNamespace& joined : container.joined) {
    object["joined"].push_back({{"type", joined.type}, {"path", joined.path}});
  }
  if (container.layer) object["rootfs_diff"] = {{"base", container.layer->base}};
  return object;
}

Result<SavedContainer> SavedContainerFromJson(const json& object) {
  const std::string kind = TRY(Text(object, "runtime"));
  if (kind != KindName(Kind::kRunc) && kind != KindName(Kind::kCrun)) {
    return Error{.code = Code::kDataLoss,
                 .message = fmt::format("no runtime is called '{}'", kind)};
  }
  SavedContainer container{.kind = kind == KindName(Kind::kRunc) ? Kind::kRunc : Kind::kCrun,
                           .state_path = TRY(Text(object, "state_path")),
                           .id = TRY(Text(object, "id")),
                           .bundle = TRY(Text(object, "bundle")),
                           .rootfs = TRY(Text(object, "rootfs")),
                           .own_pids = TRY(Flag(object, "own_pids")),
                           .own_network = TRY(Flag(object, "own_network")),
                           .loopback_up = TRY(Flag(object, "loopback_up")),
                           .console = TRY(Flag(object, "console")),
                           .own_cgroups = TRY(Flag(object, "own_cgroups"))};
  TRY(ReadStateFiles(object, container));
  container.users.users = TRY(IdsFromJson(object, "users"));
  container.users.groups = TRY(IdsFromJson(object, "groups"));
  if (object.contains("rootfs_diff")) {
    const json* layer = TRY(Object(object, "rootfs_diff"));
    container.layer = SavedLayer{.base = TRY(Text(*layer, "base"))};
  }
  for (const json& item : *TRY(Objects(object, "joined"))) {
    container.joined.push_back({.type = TRY(Text(item, "type")), .path = TRY(Text(item, "path"))});
  }
  for (const json& item : *TRY(Objects(object, "mounts"))) {
    container.mounts.push_back(TRY(MountFromJson(item)));
  }
  for (const json& item : *TRY(Objects(object, "cgroups"))) {
    container.cgroups.push_back(TRY(CgroupPlaceFromJson(item)));
  }
  return container;
}

bool Joins(const SavedContainer& container, std::string_view type) {
  const auto& joined = container.joined;
  return std::any_of(joined.begin(), joined.end(),
                     [&](const JoinedNamespace& one) { return one.type == type; });
}

bool CriuRunsIn(const SavedContainer& container, const JoinedNamespace& joined) {
  return !container.users.empty() && (joined.type == "ipc" || joined.type == "uts");
}

bool CriuRestoresIn(const SavedContainer& container, const JoinedNamespace& joined) {
  return joined.type == "cgroup" || CriuRunsIn(container, joined);
}

std::vector<std::string> ExternalForDump(const SavedContainer& container) {
  std::vector<std::string> external;
  for (const SavedMount& mount : container.mounts) {
    if (mount.key.empty()) continue;
    external.push_back(fmt::format("mnt[{}]:{}", mount.mountpoint, mount.key));
  }
  return external;
}

std::vector<std::string> ExternalForRestore(const SavedContainer& container) {
  std::vector<std::string> external;
  std::set<std::string> named;
  for (const SavedMount& mount : container.mounts) {
    if (mount.key.empty() || !named.insert(mount.key).second) continue;
    external.push_back(fmt::format("mnt[{}]:{}", mount.key, mount.source));
  }
  return external;
}

}  // namespace crd::runtime
