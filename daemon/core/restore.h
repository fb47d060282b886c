#pragma once

#include "daemon/core/claims.h"
#include "daemon/core/engine_parts.h"
#include "daemon/core/operation.h"
#include "daemon/core/requests.h"

namespace crd {

// Runs a restore on the calling thread, which becomes the parent of the restored tree, and ends the
// operation on every path. A failure kills and reaps everything half-made; the checkpoint stays
// ready, or turns `damaged` if that was the reason.
void RunRestore(const EngineParts& parts, Claims& claims, Operation& operation,
                const RestoreRequest& request);

}  // namespace crd
