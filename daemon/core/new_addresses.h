#pragma once

#include "daemon/base/result.h"
#include "daemon/core/inventory.h"
#include "daemon/core/network_changes.h"
#include "daemon/core/networks.h"
#include "net/description.h"

namespace crd {

// `changes` and, for each address in a subnet of its bridge that is in none of them, a free one of
// the same subnet: which nobody has reserved and nobody on the wire answers for (asking takes
// 0.1 s for each). A network that crd does not know yet goes into `update`. NO_ADDRESS_FREE; empty
// if there is nothing to change.
Result<NetworkChanges> WithNewAddresses(const net::Description& description, NetworkChanges changes,
                                        Inventory& inventory, Networks& networks, Update& update);

}  // namespace crd
