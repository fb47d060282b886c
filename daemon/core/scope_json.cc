#include "daemon/core/scope_json.h"

#include <algorithm>
#include <limits>

#include "daemon/core/json.h"

namespace crd {
namespace {

using nlohmann::json;
using Pairs = std::vector<std::pair<std::string, std::string>>;

Result<systemd::PropertyValue> ValueFromJson(const json& value) {
  if (value.is_boolean()) return systemd::PropertyValue(value.get<bool>());
  if (value.is_number_unsigned()) return systemd::PropertyValue(value.get<std::uint64_t>());
  if (value.is_string()) return systemd::PropertyValue(value.get<std::string>());
  try {
    if (value.is_array() && !value.empty()) {
      const bool bytes = std::all_of(value.begin(), value.end(), [](const json& one) {
        return one.is_number_unsigned() && one <= std::numeric_limits<std::uint8_t>::max();
      });
      if (bytes) return systemd::PropertyValue(value.get<std::vector<std::uint8_t>>());
      return systemd::PropertyValue(value.get<Pairs>());
    }
  } catch (const json::exception&) {
    // Falls through to what is no value of any type.
  }
  return Error{.code = Code::kDataLoss, .message = "a scope's property has no value of its type"};
}

}  // namespace

json ToJson(const systemd::Scope& scope) {
  json properties = json::array();
  for (const systemd::ScopeProperty& property : scope.properties) {
    json value;
    std::visit([&](const auto& one) { value = one; }, property.value);
    properties.push_back({{"name", property.name}, {"value", std::move(value)}});
  }
  return {{"name", scope.name}, {"properties", std::move(properties)}};
}

Result<systemd::Scope> ScopeFromJson(const json& object) {
  systemd::Scope scope{.name = TRY(Member<std::string>(object, "name", "")), .properties = {}};
  for (const json& one : TRY(Member<std::vector<json>>(object, "properties", {}))) {
    const auto value = one.find("value");
    if (!one.is_object() || value == one.end()) {
      return Error{.code = Code::kDataLoss, .message = "a scope's property has no value"};
    }
    scope.properties.push_back(
        {.name = TRY(Member<std::string>(one, "name", "")), .value = TRY(ValueFromJson(*value))});
  }
  return scope;
}

}  // namespace crd
