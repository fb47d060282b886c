#pragma once

#include "daemon/core/claims.h"
#include "daemon/core/engine_parts.h"
#include "daemon/core/operation.h"
#include "daemon/core/requests.h"

namespace crd {

// Runs a checkpoint from validation to the end of the tree, on the calling thread, and ends the
// operation on every path.
//
// The commit point is CRIU's post-dump notification: the images are complete and the tree is still
// frozen. Before it, every failure leaves the tree running and nothing else. After it, the
// checkpoint is ready whatever happens. A tree that is left running is not kept frozen for the
// commit: it is not lost if the commit fails.
void RunCheckpoint(const EngineParts& parts, Claims& claims, Operation& operation,
                   const CheckpointRequest& request);

}  // namespace crd
