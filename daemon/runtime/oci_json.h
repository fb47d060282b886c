#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json.hpp>

#include "daemon/base/result.h"

namespace crd::runtime {

// JSON that others wrote: runtimes' state and bundles' config.json. Whoever can write a bundle may
// write anything into it, so everything is bounded and nothing is believed to have its type. `null`
// counts as not there: both runtimes write it for what is empty. Any thread.

inline constexpr std::size_t kJsonBytes = 4U << 20U;
inline constexpr int kJsonDepth = 64;
inline constexpr std::size_t kTextBytes = 4096;  // PATH_MAX
inline constexpr std::size_t kArrayItems = 4096;

// kDataLoss when it is too large, too deep or no JSON object.
Result<nlohmann::json> ParseObject(std::string_view text);

// Members of an object; kDataLoss, naming it, for what is of another type, too long, or a text with
// a NUL in it (a path that would end there for the kernel).
Result<std::string> Text(const nlohmann::json& object, const char* name);
Result<std::int64_t> Number(const nlohmann::json& object, const char* name);
// One of 32 bits without a sign.
Result<std::uint32_t> Number32(const nlohmann::json& object, const char* name);
Result<bool> Flag(const nlohmann::json& object, const char* name);
Result<std::vector<std::string>> Texts(const nlohmann::json& object, const char* name);
// Where there is nothing: an empty object or array, which outlives everything.
Result<const nlohmann::json*> Object(const nlohmann::json& object, const char* name);
// Its items are objects.
Result<const nlohmann::json*> Objects(const nlohmann::json& object, const char* name);

}  // namespace crd::runtime
