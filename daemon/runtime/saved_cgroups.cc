#include "daemon/runtime/saved_cgroups.h"

#include <limits>

#include "daemon/runtime/cgroup_limits.h"
#include "daemon/runtime/oci_json.h"

namespace crd::runtime {

using nlohmann::json;

namespace {

Error Wrong(const char* what) {
  return {.code = Code::kDataLoss, .message = fmt::format("'{}' is not as crd writes it", what)};
}

Result<CgroupLimits> LimitsFromJson(const json& object) {
  CgroupLimits limits;
  const auto found = object.find("limits");
  if (found == object.end()) return limits;
  for (const json& item : *found) {
    if (!item.is_array() || item.size() != 2 || !item[0].is_string() || !item[1].is_string()) {
      return Wrong("limits");
    }
    limits.emplace_back(item[0].get<std::string>(), item[1].get<std::string>());
  }
  return limits;
}

Result<std::vector<std::string>> FiltersFromJson(const json& object) {
  std::vector<std::string> filters;
  const auto found = object.find("device_filters");
  if (found == object.end()) return filters;
  for (const json& item : *found) {
    if (!item.is_string()) return Wrong("device_filters");
    filters.push_back(item.get<std::string>());
  }
  return filters;
}

json NestedToJson(const NestedCgroup& nested) {
  return {{"path", nested.path},
          {"limits", nested.limits},
          {"subtree_control", nested.subtree_control},
          {"device_filters", nested.device_filters},
          {"uid", nested.uid},
          {"gid", nested.gid},
          {"owned", nested.owned},
          {"pids", nested.pids}};
}

Result<unsigned> IdFromJson(const json& object, const char* name) {
  const std::uint32_t id = TRY(Number32(object, name));
  // chown(2) would take it for "as it is".
  if (id == std::numeric_limits<std::uint32_t>::max()) return Wrong(name);
  return id;
}

Result<NestedCgroup> NestedFromJson(const json& object) {
  NestedCgroup nested{.path = TRY(Text(object, "path")),
                      .limits = TRY(LimitsFromJson(object)),
                      .subtree_control = TRY(Text(object, "subtree_control")),
                      .device_filters = TRY(FiltersFromJson(object)),
                      .uid = TRY(IdFromJson(object, "uid")),
                      .gid = TRY(IdFromJson(object, "gid")),
                      .owned = TRY(Texts(object, "owned"))};
  // Directories are made, and files given away, by these.
  if (!nested.path.starts_with('/') || (nested.path + "/").find("/../") != std::string::npos) {
    return Wrong("path");
  }
  for (const std::string& name : nested.owned) {
    if (name.find('/') != std::string::npos) return Wrong("owned");
  }
  const auto pids = object.find("pids");
  if (pids == object.end()) return nested;
  for (const json& pid : *pids) {
    if (!pid.is_number_integer()) return Wrong("pids");
    nested.pids.push_back(pid.get<pid_t>());
  }
  return nested;
}

}  // namespace

json ToJson(const CgroupPlace& place) {
  json object = {{"controllers", place.controllers},       {"path", place.path},
                 {"directory", place.directory},           {"own", place.own},
                 {"device_filters", place.device_filters}, {"limits", place.limits}};
  if (!place.subtree_control.empty()) object["subtree_control"] = place.subtree_control;
  for (const NestedCgroup& nested : place.nested) object["nested"].push_back(NestedToJson(nested));
  return object;
}

Result<CgroupPlace> CgroupPlaceFromJson(const json& object) {
  CgroupPlace place{.controllers = TRY(Text(object, "controllers")),
                    .path = TRY(Text(object, "path")),
                    .directory = TRY(Text(object, "directory")),
                    .own = TRY(Flag(object, "own")),
                    .limits = TRY(LimitsFromJson(object)),
                    .device_filters = TRY(FiltersFromJson(object)),
                    .subtree_control = TRY(Text(object, "subtree_control"))};
  for (const json& item : *TRY(Objects(object, "nested"))) {
    place.nested.push_back(TRY(NestedFromJson(item)));
  }
  return place;
}

}  // namespace crd::runtime
