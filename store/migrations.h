#pragma once

#include <vector>

#include "daemon/base/result.h"
#include "store/database.h"

namespace crd::store {

// One step of the schema: what makes a database of version `to` out of one of version `to - 1`.
struct Migration {
  int to = 0;
  const char* sql = "";
};

// All steps in order, from the empty database on. A shipped step is never edited: append one.
const std::vector<Migration>& Migrations();

// Brings the schema to the newest version, each step in a transaction of its own, so that a failed
// step leaves a good database of the version before it.
// Refuses with STORE_NEWER what a newer crd wrote and with STORE_FOREIGN what no crd wrote; changes
// nothing then.
Result<void> Migrate(Database& database, const std::vector<Migration>& migrations = Migrations());

}  // namespace crd::store
