#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "daemon/base/result.h"
#include "store/database.h"
#include "store/rows.h"

namespace crd::store {

// NETWORK_EXISTS if another network has the bridge.
Result<void> PutNetwork(Database& database, const NetworkRow& row);
Result<void> DeleteNetwork(Database& database, std::string_view name);
Result<std::optional<NetworkRow>> GetNetwork(Database& database, std::string_view name);
// By name.
Result<std::vector<NetworkRow>> AllNetworks(Database& database);

}  // namespace crd::store
