#pragma once

#include <nlohmann/json_fwd.hpp>

#include "daemon/base/result.h"
#include "systemd/scope.h"

namespace crd {

// A scope in a manifest. The type of a property's value is that of its JSON.
nlohmann::json ToJson(const systemd::Scope& scope);
Result<systemd::Scope> ScopeFromJson(const nlohmann::json& object);

}  // namespace crd
