#include "store/migrations.h"

#include "store/schema.h"
#include "store/transaction.h"

namespace crd::store {
namespace {

Result<void> RefuseForeign(Database& database) {
  const std::int64_t application = TRY(database.QueryInteger("PRAGMA application_id"));
  if (application == kApplicationId) return {};
  const std::int64_t objects = TRY(database.QueryInteger("SELECT count(*) FROM sqlite_schema"));
  if (application == 0 && objects == 0) return {};
  return Error{.code = Code::kFailedPrecondition,
               .reason = "STORE_FOREIGN",
               .message = fmt::format("database '{}': was not made by crd", database.path()),
               .hint = "choose another state directory"};
}

Result<void> RunStep(Database& database, const Migration& step) {
  Transaction transaction = TRY(Transaction::Begin(database));
  TRY(database.Execute(step.sql));
  TRY(database.Execute(fmt::format("PRAGMA application_id = {}", kApplicationId)));
  TRY(database.Execute(fmt::format("PRAGMA user_version = {}", step.to)));
  return transaction.Commit();
}

}  // namespace

const std::vector<Migration>& Migrations() {
  static const std::vector<Migration> kSteps = {
      {.to = 1, .sql = kSchemaVersion1},
      {.to = 2, .sql = kSchemaVersion2},
  };
  return kSteps;
}

Result<void> Migrate(Database& database, const std::vector<Migration>& migrations) {
  TRY(RefuseForeign(database));
  const std::int64_t version = TRY(database.QueryInteger("PRAGMA user_version"));
  if (version > migrations.back().to) {
    return Error{
        .code = Code::kFailedPrecondition,
        .reason = "STORE_NEWER",
        .message = fmt::format("database '{}': has schema version {}, this crd knows up to {}",
                               database.path(), version, migrations.back().to),
        .hint = "start the crd that wrote it, or a newer one"};
  }
  for (const Migration& step : migrations) {
    if (step.to <= version) continue;
    TRY(RunStep(database, step).Annotate(fmt::format("migrate to schema version {}", step.to)));
  }
  return {};
}

}  // namespace crd::store
