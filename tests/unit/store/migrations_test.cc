#include "store/migrations.h"

#include <filesystem>
#include <fstream>

#include <gmock/gmock.h>

#include "tests/unit/store/raw_database.h"
#include "tests/unit/store/store_fixture.h"
#include "tests/unit/store/version_1.h"

namespace crd::store {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::RunSql;

constexpr char kSchemaOf[] = "SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL ORDER BY name";

class MigrationsTest : public ::testing::Test {
 protected:
  [[nodiscard]] std::string path() const { return directory_ / "crd.db"; }
  testing::TempDir directory_;
};

TEST_F(MigrationsTest, StepsAreNumberedFromOneOn) {
  int version = 0;
  for (const Migration& step : Migrations()) EXPECT_EQ(step.to, ++version);
}

TEST_F(MigrationsTest, AFreshDatabaseHasTheNewestVersion) {
  { ASSERT_THAT(Store::Open(path()), testing::IsOk()); }
  EXPECT_THAT(RunSql(path(), "PRAGMA user_version"),
              ElementsAre(std::to_string(Migrations().back().to)));
}

TEST_F(MigrationsTest, EveryTableIsStrictAndWithoutNullsButForTheExitStatus) {
  { ASSERT_THAT(Store::Open(path()), testing::IsOk()); }
  EXPECT_THAT(RunSql(path(),
                     "SELECT name FROM pragma_table_list "
                     "WHERE schema = 'main' AND name NOT LIKE 'sqlite_%' AND NOT strict"),
              ElementsAre());
  EXPECT_THAT(
      RunSql(path(),
             "SELECT t.name || '.' || c.name FROM pragma_table_list t, pragma_table_info(t.name) c "
             "WHERE t.schema = 'main' AND t.name NOT LIKE 'sqlite_%' AND NOT c.\"notnull\" "
             "ORDER BY 1"),
      ElementsAre("containers.exit_code", "containers.exit_signal"));
}

// Guards the shipped step against being edited, and all later ones.
TEST_F(MigrationsTest, ADatabaseOfVersion1BecomesLikeAFreshOneAndKeepsItsRows) {
  RunSql(path(), kVersion1);
  RunSql(path(), kVersion1Rows);
  {
    ASSERT_OK_AND_ASSIGN(const auto store, Store::Open(path()));
    EXPECT_EQ(store->MatchCheckpoints("web").value().at(0).id, "c1");
    EXPECT_EQ(store->GetContainer("k1").value()->exit_code, 3);
    EXPECT_EQ(store->FindRequest("r1").value()->id, "o1");
    EXPECT_EQ(store->LastEventSequence().value(), 7);
  }
  const std::string fresh = directory_ / "fresh.db";
  { ASSERT_THAT(Store::Open(fresh), testing::IsOk()); }
  EXPECT_EQ(RunSql(path(), kSchemaOf), RunSql(fresh, kSchemaOf));
  EXPECT_EQ(RunSql(path(), "PRAGMA user_version"), RunSql(fresh, "PRAGMA user_version"));
}

TEST_F(MigrationsTest, ANewerDatabaseIsRefusedAndLeftAlone) {
  { ASSERT_THAT(Store::Open(path()), testing::IsOk()); }
  RunSql(path(), "PRAGMA user_version = 99");
  const auto refused = Store::Open(path());
  ASSERT_THAT(refused, testing::Refuses("STORE_NEWER"));
  EXPECT_EQ(refused.error().code, Code::kFailedPrecondition);
  EXPECT_THAT(refused.error().message, HasSubstr("schema version 99"));
  EXPECT_THAT(RunSql(path(), "PRAGMA user_version"), ElementsAre("99"));
}

TEST_F(MigrationsTest, ADatabaseOfSomethingElseIsRefused) {
  RunSql(path(), "CREATE TABLE cookies (host TEXT)");
  EXPECT_THAT(Store::Open(path()), testing::Refuses("STORE_FOREIGN"));
  EXPECT_THAT(RunSql(path(), kSchemaOf), ElementsAre("CREATE TABLE cookies (host TEXT)"));
}

const std::vector<Migration> kTwoSteps = {
    {.to = 1, .sql = "CREATE TABLE a (x INTEGER NOT NULL) STRICT; INSERT INTO a VALUES (1)"},
    {.to = 2, .sql = "ALTER TABLE a ADD COLUMN y INTEGER NOT NULL DEFAULT 5"}};

TEST_F(MigrationsTest, OnlyTheMissingStepsAreRun) {
  {
    ASSERT_OK_AND_ASSIGN(const auto database, Database::Open(path()));
    ASSERT_THAT(Migrate(*database, {kTwoSteps[0]}), testing::IsOk());
    ASSERT_THAT(database->Execute("UPDATE a SET x = 2"), testing::IsOk());
    ASSERT_THAT(Migrate(*database, kTwoSteps), testing::IsOk());
    ASSERT_THAT(Migrate(*database, kTwoSteps), testing::IsOk());
  }
  EXPECT_THAT(RunSql(path(), "SELECT x || ',' || y FROM a"), ElementsAre("2,5"));
  EXPECT_THAT(RunSql(path(), "PRAGMA user_version"), ElementsAre("2"));
}

TEST_F(MigrationsTest, AFailedStepLeavesTheVersionBeforeIt) {
  {
    ASSERT_OK_AND_ASSIGN(const auto database, Database::Open(path()));
    const std::vector<Migration> broken = {
        kTwoSteps[0], {.to = 2, .sql = "CREATE TABLE b (x INTEGER) STRICT; CREATE TABLE a (y)"}};
    const auto failed = Migrate(*database, broken);
    ASSERT_THAT(failed, testing::FailsWith(Code::kInternal));
    EXPECT_THAT(failed.error().message, HasSubstr("migrate to schema version 2"));
    EXPECT_EQ(database->QueryInteger("PRAGMA user_version").value(), 1);
    EXPECT_THAT(Migrate(*database, kTwoSteps), testing::IsOk());
  }
  EXPECT_THAT(RunSql(path(), "SELECT name FROM sqlite_schema"), ElementsAre("a"));
}

}  // namespace
}  // namespace crd::store
