#include <gmock/gmock.h>

#include "tests/unit/store/faulty_disk.h"
#include "tests/unit/store/raw_database.h"
#include "tests/unit/store/store_fixture.h"

namespace crd::store {
namespace {

using ::testing::ElementsAre;

// Once with a disk that fails once, once with one that fails until it is repaired.
class FaultTest : public ::testing::TestWithParam<bool> {
 protected:
  testing::FaultyDisk disk_;
};

Change Numbered(std::uint64_t number) {
  Change change{.checkpoints = {Checkpoint(HexId(number), fmt::format("n{}", number))},
                .events = {EventRow{.id = HexId(number)}}};
  change.checkpoints[0].options = std::string(number % 5 == 0 ? 900'000 : 300, 'x');
  return change;
}

void ExpectExactly(Store& store, const std::vector<std::uint64_t>& numbers) {
  ASSERT_EQ(store.CountCheckpoints({}).value(), static_cast<std::int64_t>(numbers.size()));
  ASSERT_EQ(store.LastEventSequence().value(), static_cast<std::int64_t>(numbers.size()));
  for (const std::uint64_t number : numbers) {
    ASSERT_EQ(store.GetCheckpoint(HexId(number)).value(), Numbered(number).checkpoints[0]);
  }
}

// Writes twenty changes, of which those fail that the disk fails; what was acknowledged, and only
// that, is there, at once and after closing (on the disk as it is) and reopening.
void WriteThroughAFault(testing::FaultyDisk& disk, int n, bool for_good) {
  const testing::TempDir directory;
  const std::string path = directory / "crd.db";
  std::vector<std::uint64_t> acknowledged;
  {
    ASSERT_OK_AND_ASSIGN(const auto store, Store::Open(path));
    disk.FailAt(n, for_good);
    for (std::uint64_t number = 1; number <= 20; ++number) {
      if (number == 15) disk.Repair();
      const auto written = store->Write(Numbered(number));
      if (written.ok()) {
        acknowledged.push_back(number);
      } else {
        ASSERT_THAT(written, testing::FailsWith(Code::kInternal));
        ASSERT_EQ(written.error().sys_errno, EIO);
        ASSERT_FALSE(written.error().hint.empty());
      }
    }
    ASSERT_GE(acknowledged.size(), 6U) << "writes after the repair";
    ExpectExactly(*store, acknowledged);
  }
  ASSERT_OK_AND_ASSIGN(auto store, Store::Open(path));
  ExpectExactly(*store, acknowledged);
  store.reset();
  // Exclusive, for the faulty disk has no shared memory.
  EXPECT_THAT(testing::RunSql(path, "PRAGMA locking_mode = EXCLUSIVE; PRAGMA integrity_check"),
              ElementsAre("exclusive", "ok"));
}

TEST_P(FaultTest, AFailureOfTheDiskAtAnyStepOfAWriteUndoesThatWriteAlone) {
  bool failed = true;
  // Every step at first, then a sample: the big rows are alike.
  for (int n = 1; failed; n += n < 30 ? 1 : 97) {
    SCOPED_TRACE(n);
    WriteThroughAFault(disk_, n, GetParam());
    failed = disk_.HasFailed();
    ASSERT_FALSE(HasFatalFailure());
  }
}

TEST_P(FaultTest, AFailureOfTheDiskAtAnyStepOfTheFirstOpenLeavesWhatTheNextCanOpen) {
  bool failed = true;
  for (int n = 1; failed; ++n) {
    SCOPED_TRACE(n);
    const testing::TempDir directory;
    disk_.FailAt(n, GetParam());
    {
      const auto opened = Store::Open(directory / "crd.db");
      // Before it is closed, which may fail too.
      failed = disk_.HasFailed();
      EXPECT_EQ(opened.ok(), !failed);
    }
    disk_.Repair();
    ASSERT_OK_AND_ASSIGN(const auto store, Store::Open(directory / "crd.db"));
    EXPECT_THAT(store->Write(Numbered(1)), testing::IsOk());
  }
}

INSTANTIATE_TEST_SUITE_P(OnceOrForGood, FaultTest, ::testing::Bool());

}  // namespace
}  // namespace crd::store
