#include "daemon/core/manifest.h"

#include "daemon/core/digest.h"
#include "daemon/core/json.h"
#include "daemon/core/network_json.h"
#include "daemon/core/scope_json.h"
#include "daemon/runtime/layer.h"

namespace crd {

NLOHMANN_JSON_SERIALIZE_ENUM(NetnsForCriu, {{NetnsForCriu::kGiven, "given"},
                                            {NetnsForCriu::kMade, "made"},
                                            {NetnsForCriu::kEntered, "entered"}})

namespace {

using nlohmann::json;

constexpr int kFormat = 1;

json StdioLinkToJson(const StdioLink& link) {
  return {{"kind", static_cast<int>(link.kind)},
          {"key", link.key},
          {"pid", link.pid},
          {"fd", link.fd},
          {"readable", link.readable},
          {"writable", link.writable},
          {"path", link.path}};
}

Result<StdioLink> StdioLinkFromJson(const json& object) {
  const int kind = TRY(Member<int>(object, "kind", 0));
  if (kind < 0 || kind > static_cast<int>(StdioLink::Kind::kFile)) {
    return Error{.code = Code::kDataLoss,
                 .message = fmt::format("unknown kind {} of a stdio link", kind)};
  }
  return StdioLink{.kind = static_cast<StdioLink::Kind>(kind),
                   .key = TRY(Member<std::string>(object, "key", "")),
                   .pid = TRY(Member<int>(object, "pid", 0)),
                   .fd = TRY(Member<int>(object, "fd", -1)),
                   .readable = TRY(Member<bool>(object, "readable", false)),
                   .writable = TRY(Member<bool>(object, "writable", false)),
                   .path = TRY(Member<std::string>(object, "path", ""))};
}

Result<ManifestFile> FileFromJson(const json& object) {
  ManifestFile file{.name = TRY(Member<std::string>(object, "name", "")),
                    .size = TRY(Member<std::uint64_t>(object, "size", 0)),
                    .digest = TRY(Member<std::string>(object, "digest", ""))};
  if (file.name.empty() || file.name == "." || file.name == ".." ||
      file.name.find('/') != std::string::npos) {
    return Error{.code = Code::kDataLoss,
                 .message = fmt::format("'{}' is no file name", file.name)};
  }
  return file;
}

json CheckpointToJson(const CheckpointRecord& record) {
  return {{"id", record.id.str()},
          {"name", record.name},
          {"pid", record.pid},
          {"command", record.command},
          {"processes", record.processes},
          {"container_id", record.container_id.str()},
          {"created_us", record.created_us},
          {"options", ToJson(record.options)},
          {"criu_version", record.criu_version},
          {"kernel_release", record.kernel_release},
          {"host", record.host},
          {"network_lock", record.network_lock}};
}

Result<CheckpointRecord> CheckpointFromJson(const json& object) {
  CheckpointRecord record;
  record.id = CheckpointId(TRY(Member<std::string>(object, "id", "")));
  record.name = TRY(Member<std::string>(object, "name", ""));
  record.pid = TRY(Member<int>(object, "pid", 0));
  record.command = TRY(Member<std::string>(object, "command", ""));
  record.processes = TRY(Member<std::int64_t>(object, "processes", 0));
  record.container_id = ContainerId(TRY(Member<std::string>(object, "container_id", "")));
  record.created_us = TRY(Member<std::int64_t>(object, "created_us", 0));
  record.criu_version = TRY(Member<std::string>(object, "criu_version", ""));
  record.kernel_release = TRY(Member<std::string>(object, "kernel_release", ""));
  record.host = TRY(Member<std::string>(object, "host", ""));
  record.network_lock = TRY(Member<std::string>(object, "network_lock", ""));
  record.options = TRY(DumpOptionsFromJson(object.value("options", json::object())));
  return record;
}

json TreeNetworkToJson(const TreeNetwork& network) {
  json object = ToJson(network.description);
  object["inode"] = network.inode;
  object["path"] = network.path;
  object["joined"] = network.joined;
  object["for_criu"] = network.for_criu;
  object["key"] = network.key;
  return object;
}

Result<TreeNetwork> TreeNetworkFromJson(const json& object) {
  return TreeNetwork{
      .inode = TRY(Member<std::uint64_t>(object, "inode", 0)),
      .path = TRY(Member<std::string>(object, "path", "")),
      .joined = TRY(Member<bool>(object, "joined", false)),
      .for_criu = json(TRY(Member<std::string>(object, "for_criu", "given"))).get<NetnsForCriu>(),
      .key = TRY(Member<std::string>(object, "key", kNetworkKey)),
      .description = TRY(NetworkFromJson(object))};
}

template <typename T, typename F>
Result<std::vector<T>> Array(const json& object, const char* name, F from_json) {
  std::vector<T> items;
  for (const json& item : TRY(Member<std::vector<json>>(object, name, {}))) {
    items.push_back(TRY(from_json(item)));
  }
  return items;
}

std::string Dump(const json& value) {
  return value.dump(1, ' ', false, json::error_handler_t::replace);
}

}  // namespace

std::uint64_t Manifest::TotalBytes() const {
  std::uint64_t total = 0;
  for (const ManifestFile& file : files) total += file.size;
  return total;
}

std::optional<StoredLayer> Manifest::Layer() const {
  if (!container || !container->layer) return std::nullopt;
  StoredLayer layer{.base = container->layer->base};
  for (const ManifestFile& file : files) {
    if (file.name == runtime::kLayerFile) layer.size = file.size;
  }
  return layer;
}

std::string Serialize(const Manifest& manifest) {
  json body = {{"format", kFormat},
               {"digest_algorithm", Digest::kAlgorithm},
               {"checkpoint", CheckpointToJson(manifest.checkpoint)},
               {"external", manifest.external},
               {"stdio", json::array()},
               {"files", json::array()},
               {"remapped", json::array()}};
  if (manifest.container) body["container"] = runtime::ToJson(*manifest.container);
  if (manifest.scope) body["scope"] = ToJson(*manifest.scope);
  for (const StdioLink& link : manifest.stdio) body["stdio"].push_back(StdioLinkToJson(link));
  for (const ManifestFile& file : manifest.files) {
    body["files"].push_back({{"name", file.name}, {"size", file.size}, {"digest", file.digest}});
  }
  for (const RemappedFile& file : manifest.remapped) body["remapped"].push_back(ToJson(file));
  for (const OpenSocket& socket : manifest.sockets) body["sockets"].push_back(ToJson(socket));
  if (manifest.network.has_value()) body["network"] = TreeNetworkToJson(*manifest.network);
  // A digest over the body's own text: JSON objects come out sorted, so parsing and writing again
  // gives the same text.
  const std::string digest = DigestOf(Dump(body));
  return Dump({{"manifest", std::move(body)}, {"digest", digest}}) + "\n";
}

Result<Manifest> ParseManifest(std::string_view text) {
  const json whole = TRY(ParseJson(text, "manifest.json"));
  const std::string digest = TRY(Member<std::string>(whole, "digest", ""));
  const json body = whole.value("manifest", json::object());
  if (DigestOf(Dump(body)) != digest) {
    return Error{.code = Code::kDataLoss,
                 .message = "manifest.json was changed: its digest does not fit"};
  }
  if (const int format = TRY(Member<int>(body, "format", 0)); format != kFormat) {
    return Error{
        .code = Code::kFailedPrecondition,
        .message = fmt::format("manifest.json has format {}, this crd reads {}", format, kFormat),
        .hint = "use the version of crd that wrote it"};
  }
  Manifest manifest;
  manifest.checkpoint = TRY(CheckpointFromJson(body.value("checkpoint", json::object())));
  manifest.stdio = TRY(Array<StdioLink>(body, "stdio", StdioLinkFromJson));
  if (const auto container = body.find("container"); container != body.end()) {
    if (!container->is_object()) {
      return Error{.code = Code::kDataLoss, .message = "'container' is no object"};
    }
    manifest.container = TRY(runtime::SavedContainerFromJson(*container));
  }
  if (body.contains("scope")) manifest.scope = TRY(ScopeFromJson(body["scope"]));
  manifest.files = TRY(Array<ManifestFile>(body, "files", FileFromJson));
  manifest.remapped = TRY(Array<RemappedFile>(body, "remapped", RemappedFileFromJson));
  manifest.external =
      TRY(Array<std::string>(body, "external", [](const json& item) -> Result<std::string> {
        if (item.is_string()) return item.get<std::string>();
        return Error{.code = Code::kDataLoss,
                     .message = "'external' holds something that is no text"};
      }));
  manifest.sockets = TRY(Array<OpenSocket>(body, "sockets", OpenSocketFromJson));
  if (body.contains("network")) manifest.network = TRY(TreeNetworkFromJson(body["network"]));
  return manifest;
}

}  // namespace crd
