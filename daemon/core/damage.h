#pragma once

#include <vector>

#include "daemon/core/inventory.h"
#include "daemon/core/verify.h"

namespace crd {

// Turns a ready checkpoint `damaged`, durably, and returns the refusal that names what is. A
// checkpoint that is in another state keeps it.
Error RecordDamage(Inventory& inventory, const CheckpointId& id,
                   const std::vector<Damage>& damages);

}  // namespace crd
