#include "store/transaction.h"

#include <utility>

namespace crd::store {

Result<Transaction> Transaction::Begin(Database& database) {
  Statement begin = TRY(database.Prepare("BEGIN IMMEDIATE"));
  TRY(begin.Run().Annotate("begin a transaction"));
  return Transaction(database);
}

Transaction::Transaction(Transaction&& other) noexcept
    : database_(std::exchange(other.database_, nullptr)) {}

Transaction::~Transaction() {
  if (database_ != nullptr) database_->RollBack();
}

Result<void> Transaction::Commit() {
  Statement commit = TRY(database_->Prepare("COMMIT"));
  TRY(commit.Run().Annotate("commit a transaction"));
  database_ = nullptr;
  return {};
}

}  // namespace crd::store
