#pragma once

#include <string>
#include <vector>

#include "daemon/core/claims.h"
#include "daemon/core/engine_parts.h"
#include "daemon/core/preflight.h"

namespace crd {

// Everything that is known to stand in the way of restoring a checkpoint here and now; changes
// nothing but the state of a checkpoint that turns out to be damaged. CHECKPOINT_NOT_FOUND.
Result<std::vector<Obstacle>> FindRestoreObstacles(const EngineParts& parts, Claims& claims,
                                                   const std::string& key);

}  // namespace crd
