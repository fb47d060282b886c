#pragma once

#include <string_view>
#include <vector>

#include <nlohmann/json.hpp>

#include "daemon/base/error.h"
#include "daemon/base/result.h"
#include "daemon/core/link_remaps.h"
#include "daemon/criu/criu.h"

namespace crd {

// JSON as crd keeps it in manifests and rows. Reading tolerates members that are not there and
// refuses members of the wrong type.

nlohmann::json ToJson(const criu::DumpOptions& options);
nlohmann::json ToJson(const criu::DumpStatistics& statistics);
nlohmann::json ToJson(const Error& error);
nlohmann::json ToJson(const RemappedFile& file);

Result<criu::DumpOptions> DumpOptionsFromJson(const nlohmann::json& object);
Result<criu::DumpStatistics> DumpStatisticsFromJson(const nlohmann::json& object);
// Refuses names and directories that crd must not touch.
Result<RemappedFile> RemappedFileFromJson(const nlohmann::json& object);
// What cannot be read is left out: half an explanation is better than none.
Error ErrorFromJson(const nlohmann::json& object);

// Parses a text; kDataLoss, naming `what`, if it is not JSON.
Result<nlohmann::json> ParseJson(std::string_view text, std::string_view what);

// A member of the given type, `fallback` if it is not there, kDataLoss if it is something else.
template <typename T>
Result<T> Member(const nlohmann::json& object, const char* name, T fallback) {
  if (!object.is_object()) {
    return Error{.code = Code::kDataLoss,
                 .message = fmt::format("'{}' is missing: not a JSON object", name)};
  }
  const auto found = object.find(name);
  if (found == object.end()) return fallback;
  bool fits = false;
  if constexpr (std::is_same_v<T, bool>) {
    fits = found->is_boolean();
  } else if constexpr (std::is_unsigned_v<T>) {
    fits = found->is_number_unsigned();
  } else if constexpr (std::is_integral_v<T>) {
    fits = found->is_number_integer();
  } else if constexpr (std::is_same_v<T, std::string>) {
    fits = found->is_string();
  } else {
    fits = found->is_array();
  }
  if (!fits) {
    return Error{.code = Code::kDataLoss, .message = fmt::format("'{}' has the wrong type", name)};
  }
  return found->template get<T>();
}

}  // namespace crd
