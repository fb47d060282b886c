#pragma once

#include <cstdint>
#include <vector>

#include "daemon/base/result.h"
#include "store/database.h"
#include "store/rows.h"

namespace crd::store {

// Sequence numbers never come back: only old events are ever deleted, never the newest.

// Returns the events with their numbers.
Result<std::vector<EventRow>> AppendEvents(Database& database, std::vector<EventRow> events);
// Deletes all but the newest `keep`; costs what it deletes.
Result<void> PruneEvents(Database& database, std::int64_t keep);

Result<std::vector<EventRow>> EventsBehind(Database& database, std::int64_t sequence, int limit);
Result<std::int64_t> NewestEvent(Database& database);

}  // namespace crd::store
