#pragma once

#include "daemon/base/error.h"

struct sqlite3;

namespace crd::store {

// What an (extended) result code of SQLite means to a person, right after the call that failed. The
// reasons are stable: STORE_FULL, STORE_READ_ONLY, STORE_CANNOT_OPEN, STORE_IN_USE, STORE_DAMAGED.
// A violated unique index is kAlreadyExists without a reason: only the caller knows the key.
[[nodiscard]] Error SqliteError(sqlite3* connection, int result);

}  // namespace crd::store
