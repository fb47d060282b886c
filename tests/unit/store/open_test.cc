#include <cstdlib>
#include <filesystem>
#include <fstream>

#include <gmock/gmock.h>
#include <sys/stat.h>

#include "store/database.h"
#include "tests/unit/store/in_child.h"
#include "tests/unit/store/raw_database.h"
#include "tests/unit/store/store_fixture.h"

namespace crd::store {
namespace {

using ::testing::HasSubstr;

class OpenTest : public ::testing::Test {
 protected:
  [[nodiscard]] std::string path() const { return directory_ / "crd.db"; }
  testing::TempDir directory_;
};

mode_t ModeOf(const std::string& path) {
  struct stat status {};
  EXPECT_EQ(::stat(path.c_str(), &status), 0) << path;
  return status.st_mode & 0777U;
}

TEST_F(OpenTest, FilesAreForTheirOwnerWhateverTheUmask) {
  for (const mode_t mask : {mode_t{0}, mode_t{0777}}) {
    testing::RunInChild([&] {
      const testing::TempDir directory;
      ::umask(mask);
      ASSERT_OK_AND_ASSIGN(const auto store, Store::Open(directory / "crd.db"));
      ASSERT_THAT(store->Write({.checkpoints = {Checkpoint("c1")}}), testing::IsOk());
      EXPECT_EQ(ModeOf(directory / "crd.db"), 0600U);
      EXPECT_EQ(ModeOf(directory / "crd.db-wal"), 0600U);
    });
  }
}

TEST_F(OpenTest, AFileThatOthersCouldReadIsProtected) {
  { ASSERT_OK_AND_ASSIGN(const auto store, Store::Open(path())); }
  std::filesystem::permissions(path(), std::filesystem::perms{0644});
  ASSERT_OK_AND_ASSIGN(const auto store, Store::Open(path()));
  EXPECT_EQ(ModeOf(path()), 0600U);
}

TEST_F(OpenTest, EveryCommitIsSyncedThroughTheLog) {
  ASSERT_OK_AND_ASSIGN(const auto database, Database::Open(path()));
  EXPECT_EQ(database->QueryText("PRAGMA journal_mode").value(), "wal");
  EXPECT_EQ(database->QueryInteger("PRAGMA synchronous").value(), 2);
  EXPECT_EQ(database->QueryInteger("PRAGMA foreign_keys").value(), 1);
  EXPECT_EQ(database->QueryText("PRAGMA locking_mode").value(), "exclusive");
}

TEST_F(OpenTest, ACommitCanLeaveTheSyncToTheNext) {
  ASSERT_OK_AND_ASSIGN(const auto database, Database::Open(path()));
  ASSERT_THAT(database->SetSync(false), testing::IsOk());
  EXPECT_EQ(database->QueryInteger("PRAGMA synchronous").value(), 1);
  ASSERT_THAT(database->SetSync(true), testing::IsOk());
  EXPECT_EQ(database->QueryInteger("PRAGMA synchronous").value(), 2);
}

TEST_F(OpenTest, ClosingMovesTheLogIntoTheFile) {
  {
    ASSERT_OK_AND_ASSIGN(const auto store, Store::Open(path()));
    ASSERT_THAT(store->Write({.checkpoints = {Checkpoint("c1")}}), testing::IsOk());
    EXPECT_TRUE(std::filesystem::exists(path() + "-wal"));
    EXPECT_FALSE(std::filesystem::exists(path() + "-shm"));
  }
  EXPECT_FALSE(std::filesystem::exists(path() + "-wal"));
  EXPECT_THAT(testing::RunSql(path(), "SELECT id FROM checkpoints"), ::testing::ElementsAre("c1"));
}

TEST_F(OpenTest, ASecondProcessIsRefusedAndToldWhoHasIt) {
  ASSERT_OK_AND_ASSIGN(const auto store, Store::Open(path()));
  testing::RunInChild([&] {
    const auto second = Store::Open(path());
    ASSERT_THAT(second, testing::Refuses("STORE_IN_USE"));
    EXPECT_EQ(second.error().code, Code::kFailedPrecondition);
    EXPECT_THAT(second.error().message, HasSubstr("another crd"));
    EXPECT_THAT(second.error().message, HasSubstr(path()));
    EXPECT_THAT(second.error().hint, HasSubstr("state directory"));
  });
  EXPECT_THAT(store->Write({.checkpoints = {Checkpoint("c1")}}), testing::IsOk());
}

TEST_F(OpenTest, ARefusedSecondOpenInOneProcessDoesNotBreakTheLockOfTheFirst) {
  ASSERT_OK_AND_ASSIGN(const auto store, Store::Open(path()));
  EXPECT_THAT(Store::Open(path()), testing::Refuses("STORE_IN_USE"));
  testing::RunInChild([&] { EXPECT_THAT(Store::Open(path()), testing::Refuses("STORE_IN_USE")); });
}

TEST_F(OpenTest, OnceItIsClosedAnotherProcessMayOpenIt) {
  { ASSERT_OK_AND_ASSIGN(const auto store, Store::Open(path())); }
  testing::RunInChild([&] { EXPECT_THAT(Store::Open(path()), testing::IsOk()); });
}

TEST_F(OpenTest, AReaderFromOutsideIsRefusedToo) {
  testing::RunSql(path(), "PRAGMA journal_mode = WAL");
  sqlite3* reader = nullptr;
  ASSERT_EQ(sqlite3_open(path().c_str(), &reader), SQLITE_OK);
  ASSERT_EQ(sqlite3_exec(reader, "BEGIN; SELECT * FROM sqlite_schema", nullptr, nullptr, nullptr),
            SQLITE_OK);
  testing::RunInChild([&] { EXPECT_THAT(Store::Open(path()), testing::Refuses("STORE_IN_USE")); });
  sqlite3_close(reader);
}

TEST_F(OpenTest, AMissingDirectoryIsNamed) {
  const auto refused = Store::Open(directory_ / "missing/crd.db");
  ASSERT_THAT(refused, testing::Refuses("STORE_CANNOT_OPEN"));
  EXPECT_EQ(refused.error().code, Code::kFailedPrecondition);
  EXPECT_THAT(refused.error().message, HasSubstr("missing/crd.db"));
}

TEST_F(OpenTest, ADirectoryInItsPlaceIsRefused) {
  std::filesystem::create_directory(path());
  EXPECT_THAT(Store::Open(path()), testing::Refuses("STORE_CANNOT_OPEN"));
}

TEST_F(OpenTest, AReadOnlyFileSystemIsRefused) {
  if (::geteuid() != 0) GTEST_SKIP() << "mounting needs root";
  testing::RunInChild([&] {
    testing::MountPrivateTmpfs(directory_.path(), "size=1m");
    ASSERT_EQ(::mount(nullptr, directory_.path().c_str(), nullptr, MS_REMOUNT | MS_RDONLY, nullptr),
              0);
    const auto created = Store::Open(path());
    EXPECT_THAT(created, testing::Refuses("STORE_READ_ONLY"));
    EXPECT_THAT(created, testing::FailsWith(Code::kFailedPrecondition));

    ASSERT_EQ(::mount(nullptr, directory_.path().c_str(), nullptr, MS_REMOUNT, nullptr), 0);
    { ASSERT_THAT(Store::Open(path()), testing::IsOk()); }
    ASSERT_EQ(::mount(nullptr, directory_.path().c_str(), nullptr, MS_REMOUNT | MS_RDONLY, nullptr),
              0);
    const auto opened = Store::Open(path());
    EXPECT_THAT(opened, testing::Refuses("STORE_READ_ONLY"));
    EXPECT_THAT(opened, testing::FailsWith(Code::kFailedPrecondition));
  });
}

}  // namespace
}  // namespace crd::store
