#pragma once

#include "daemon/base/error.h"

struct sqlite3;

namespace crd::store {

// What an (extended) result code of SQLite means to a person. Call it right after the call that
// failed, with errno cleared before: it is read first. sqlite3_system_errno() is not set when a
// COMMIT fails (SQLite 3.40). The reasons are stable: STORE_FULL, STORE_READ_ONLY,
// STORE_CANNOT_OPEN, STORE_IN_USE, STORE_DAMAGED. A violated unique index is kAlreadyExists without
// a reason: only the caller knows the key.
[[nodiscard]] Error SqliteError(sqlite3* connection, int result);

}  // namespace crd::store
