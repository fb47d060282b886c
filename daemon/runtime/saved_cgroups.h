#pragma once

#include <nlohmann/json_fwd.hpp>

#include "daemon/base/result.h"
#include "daemon/runtime/cgroups.h"

namespace crd::runtime {

// A container's cgroups as a checkpoint's manifest has them. kDataLoss for what crd does not write.
nlohmann::json ToJson(const CgroupPlace& place);
Result<CgroupPlace> CgroupPlaceFromJson(const nlohmann::json& object);

}  // namespace crd::runtime
