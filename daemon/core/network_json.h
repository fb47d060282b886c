#pragma once

#include <nlohmann/json_fwd.hpp>

#include "daemon/base/result.h"
#include "net/description.h"

namespace crd {

// A network's description as crd keeps it in manifests. Members that have their default are left
// out; reading is as tolerant and as strict as core/json.h.
nlohmann::json ToJson(const net::Description& description);
Result<net::Description> NetworkFromJson(const nlohmann::json& object);

}  // namespace crd
