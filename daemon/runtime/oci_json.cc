#include "daemon/runtime/oci_json.h"

#include <algorithm>
#include <limits>

namespace crd::runtime {

using nlohmann::json;

namespace {

Error Wrong(std::string what) { return {.code = Code::kDataLoss, .message = std::move(what)}; }

// Null when the member is not there.
const json* Find(const json& object, const char* name) {
  const auto found = object.find(name);
  return found == object.end() || found->is_null() ? nullptr : &*found;
}

// Counted before anything is parsed: the library's own callback costs the square of an array's
// size.
int Depth(std::string_view text) {
  int depth = 0;
  int deepest = 0;
  bool in_text = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (in_text) {
      if (c == '\\') ++i;
      in_text = c != '"';
    } else if (c == '"') {
      in_text = true;
    } else if (c == '{' || c == '[') {
      deepest = std::max(deepest, ++depth);
    } else if (c == '}' || c == ']') {
      --depth;
    }
  }
  return deepest;
}

Result<std::string> CheckText(const json& value, const char* name) {
  if (!value.is_string()) return Wrong(fmt::format("'{}' is not a text", name));
  const auto& text = value.get_ref<const std::string&>();
  if (text.size() >= kTextBytes) {
    return Wrong(fmt::format("'{}' has {} bytes, more than any path", name, text.size()));
  }
  if (text.find('\0') != std::string::npos) return Wrong(fmt::format("'{}' has a NUL", name));
  return text;
}

Result<const json*> Array(const json& object, const char* name) {
  static const json kNone = json::array();
  const json* value = Find(object, name);
  if (value == nullptr) return &kNone;
  if (!value->is_array()) return Wrong(fmt::format("'{}' is not an array", name));
  if (value->size() > kArrayItems) {
    return Wrong(
        fmt::format("'{}' has {} items; crd reads at most {}", name, value->size(), kArrayItems));
  }
  return value;
}

}  // namespace

Result<json> ParseObject(std::string_view text) {
  if (text.size() > kJsonBytes) {
    return Wrong(fmt::format("it has {} bytes; crd reads at most {}", text.size(), kJsonBytes));
  }
  if (Depth(text) > kJsonDepth) {
    return Wrong(fmt::format("it is nested more than {} deep", kJsonDepth));
  }
  json parsed = json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (parsed.is_discarded()) return Wrong("it is not JSON");
  if (!parsed.is_object()) return Wrong("it is not a JSON object");
  return parsed;
}

Result<std::string> Text(const json& object, const char* name) {
  const json* value = Find(object, name);
  if (value == nullptr) return std::string();
  return CheckText(*value, name);
}

Result<std::int64_t> Number(const json& object, const char* name) {
  const json* value = Find(object, name);
  if (value == nullptr) return std::int64_t{0};
  if (!value->is_number_integer()) return Wrong(fmt::format("'{}' is not a number", name));
  if (value->is_number_unsigned() && value->get<std::uint64_t>() > INT64_MAX) {
    return Wrong(fmt::format("'{}' is too large", name));
  }
  return value->get<std::int64_t>();
}

Result<std::uint32_t> Number32(const json& object, const char* name) {
  const std::int64_t number = TRY(Number(object, name));
  if (number < 0 || number > std::numeric_limits<std::uint32_t>::max()) {
    return Wrong(fmt::format("'{}' is not a number of 32 bits", name));
  }
  return static_cast<std::uint32_t>(number);
}

Result<bool> Flag(const json& object, const char* name) {
  const json* value = Find(object, name);
  if (value == nullptr) return false;
  if (!value->is_boolean()) return Wrong(fmt::format("'{}' is not a boolean", name));
  return value->get<bool>();
}

Result<std::vector<std::string>> Texts(const json& object, const char* name) {
  std::vector<std::string> texts;
  for (const json& item : *TRY(Array(object, name))) texts.push_back(TRY(CheckText(item, name)));
  return texts;
}

Result<const json*> Object(const json& object, const char* name) {
  static const json kNone = json::object();
  const json* value = Find(object, name);
  if (value == nullptr) return &kNone;
  if (!value->is_object()) return Wrong(fmt::format("'{}' is not an object", name));
  return value;
}

Result<const json*> Objects(const json& object, const char* name) {
  const json* array = TRY(Array(object, name));
  for (const json& item : *array) {
    if (!item.is_object()) return Wrong(fmt::format("'{}' has an item that is no object", name));
  }
  return array;
}

}  // namespace crd::runtime
