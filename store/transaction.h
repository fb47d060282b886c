#pragma once

#include "daemon/base/result.h"
#include "store/database.h"

namespace crd::store {

// A write transaction; undoes everything since Begin() when it goes out of scope without a
// successful Commit(). Not nested. Belongs to whoever holds the Database.
class Transaction {
 public:
  // Fails as the first write would: SQLite takes the write lock here (BEGIN IMMEDIATE).
  static Result<Transaction> Begin(Database& database);

  Transaction(Transaction&& other) noexcept;
  Transaction& operator=(Transaction&&) = delete;
  Transaction(const Transaction&) = delete;
  Transaction& operator=(const Transaction&) = delete;
  ~Transaction();

  // Durable when it returns without an error, if the database is set to sync.
  Result<void> Commit();

 private:
  explicit Transaction(Database& database) : database_(&database) {}
  Database* database_;  // null: committed or moved from
};

}  // namespace crd::store
