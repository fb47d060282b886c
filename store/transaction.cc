#include "store/transaction.h"

#include <utility>

namespace crd::store {

Result<Transaction> Transaction::Begin(Database& database) {
  TRY(TRY(database.Prepare("BEGIN IMMEDIATE")).Run().Annotate("begin a transaction"));
  return Transaction(database);
}

Transaction::Transaction(Transaction&& other) noexcept
    : database_(std::exchange(other.database_, nullptr)) {}

Transaction::~Transaction() {
  if (database_ != nullptr) database_->RollBack();
}

Result<void> Transaction::Commit() {
  TRY(TRY(database_->Prepare("COMMIT")).Run().Annotate("commit a transaction"));
  database_ = nullptr;
  return {};
}

}  // namespace crd::store
