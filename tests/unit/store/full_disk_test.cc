#include <csignal>
#include <filesystem>
#include <fstream>

#include <gmock/gmock.h>
#include <sys/resource.h>

#include "tests/unit/store/in_child.h"
#include "tests/unit/store/raw_database.h"
#include "tests/unit/store/store_fixture.h"

namespace crd::store {
namespace {

using ::testing::ElementsAre;

class FullDiskTest : public ::testing::Test {
 protected:
  [[nodiscard]] std::string path() const { return directory_ / "crd.db"; }
  testing::TempDir directory_;
};

Change Big(std::uint64_t number) {
  Change change{.checkpoints = {Checkpoint(HexId(number), fmt::format("n{}", number))},
                .events = {EventRow{.id = HexId(number)}}};
  change.checkpoints[0].options = std::string(20'000, 'x');
  return change;
}

// Writes until it fails; how many there are then.
std::uint64_t FillUp(Store& store, std::uint64_t first) {
  for (std::uint64_t number = first; number < 100'000; ++number) {
    const auto written = store.Write(Big(number));
    if (written.ok()) continue;
    EXPECT_THAT(written, testing::Refuses("STORE_FULL"));
    EXPECT_EQ(written.error().code, Code::kResourceExhausted);
    EXPECT_FALSE(written.error().hint.empty());
    return number - 1;
  }
  ADD_FAILURE() << "it never got full";
  return 0;
}

void ExpectExactly(Store& store, std::uint64_t count) {
  EXPECT_EQ(store.CountCheckpoints({}).value(), static_cast<std::int64_t>(count));
  EXPECT_EQ(store.LastEventSequence().value(), static_cast<std::int64_t>(count));
  for (std::uint64_t number = 1; number <= count; ++number) {
    ASSERT_EQ(store.GetCheckpoint(HexId(number)).value(), Big(number).checkpoints[0]);
  }
}

TEST_F(FullDiskTest, ReadsGoOnAndWritesComeBackOnceThereIsSpace) {
  if (::geteuid() != 0) GTEST_SKIP() << "mounting needs root";
  testing::RunInChild([&] {
    testing::MountPrivateTmpfs(directory_.path(), "size=4m");
    const std::string ballast = directory_ / "ballast";
    std::ofstream(ballast) << std::string(2U << 20U, 'x');
    std::uint64_t count = 0;
    {
      ASSERT_OK_AND_ASSIGN(const auto store, Store::Open(path()));
      count = FillUp(*store, 1);
      ExpectExactly(*store, count);
      EXPECT_EQ(FillUp(*store, count + 1), count);

      std::filesystem::remove(ballast);
      ASSERT_THAT(store->Write(Big(++count)), testing::IsOk());
      ExpectExactly(*store, count);
      count = FillUp(*store, count + 1);
    }
    // Closed while it was full: the log could not be moved into the file.
    ASSERT_OK_AND_ASSIGN(const auto store, Store::Open(path()));
    ExpectExactly(*store, count);
  });
}

TEST_F(FullDiskTest, AFullDiskAtTheFirstOpenIsNamed) {
  if (::geteuid() != 0) GTEST_SKIP() << "mounting needs root";
  testing::RunInChild([&] {
    testing::MountPrivateTmpfs(directory_.path(), "size=64k");
    const std::string ballast = directory_ / "ballast";
    std::ofstream(ballast) << std::string(64U << 10U, 'x');
    EXPECT_THAT(Store::Open(path()), testing::FailsWith(Code::kResourceExhausted));
    std::filesystem::remove(ballast);
    std::ofstream(ballast) << std::string(40U << 10U, 'x');
    EXPECT_THAT(Store::Open(path()), testing::Refuses("STORE_FULL"));
    std::filesystem::remove(ballast);
  });
}

TEST_F(FullDiskTest, ALimitOnTheSizeOfFilesIsLikeAFullDisk) {
  testing::RunInChild([&] {
    std::signal(SIGXFSZ, SIG_IGN);
    ASSERT_OK_AND_ASSIGN(const auto store, Store::Open(path()));
    rlimit limit{.rlim_cur = 1U << 20U, .rlim_max = RLIM_INFINITY};
    ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &limit), 0);
    std::uint64_t count = FillUp(*store, 1);
    ExpectExactly(*store, count);
    limit.rlim_cur = RLIM_INFINITY;
    ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &limit), 0);
    ASSERT_THAT(store->Write(Big(++count)), testing::IsOk());
    ExpectExactly(*store, count);
  });
  EXPECT_THAT(testing::RunSql(path(), "PRAGMA integrity_check"), ElementsAre("ok"));
}

}  // namespace
}  // namespace crd::store
