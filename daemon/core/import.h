#pragma once

#include "daemon/core/engine_parts.h"
#include "daemon/core/operation.h"
#include "daemon/core/requests.h"

namespace crd {

// Takes images that somebody else made into the inventory: read, record, copy, check, container,
// commit. They are copied first and looked through as copies, which nobody else can change; their
// writer is not trusted. Ends `operation` whatever happens, and leaves nothing behind if it fails.
void RunImport(const EngineParts& parts, Operation& operation, const ImportRequest& request);

}  // namespace crd
