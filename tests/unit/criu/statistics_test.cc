#include "daemon/criu/statistics.h"

#include <fstream>

#include "daemon/base/files.h"
#include "tests/support/result_matchers.h"
#include "tests/support/temp_dir.h"
#include "tests/unit/criu/image_bytes.h"

namespace crd::criu {
namespace {

using ::crd::testing::FailsWith;

const std::vector<std::uint32_t> kMagics = {0x55105940, 0x57093306};
// freezing 1, frozen 2, memdump 3, memwrite 4, scanned 300, skipped 0, written 7, lazy 0.
const std::string kDump(
    "\x0a\x11\x08\x01\x10\x02\x18\x03\x20\x04\x28\xac\x02\x30\x00\x38\x07\x48\x00", 19);
// compared 1, skipped 0, forking 5, restore 6, restored 7.
const std::string kRestore("\x12\x0a\x08\x01\x10\x00\x18\x05\x20\x06\x28\x07", 12);

class StatisticsTest : public ::testing::Test {
 protected:
  StatisticsTest() : directory_(std::move(*OpenDirectory(place_.path()))) {}
  void Write(const std::string& name, const std::string& bytes) {
    std::ofstream(place_ / name, std::ios::binary) << bytes;
  }
  testing::TempDir place_;
  UniqueFd directory_;
};

TEST_F(StatisticsTest, DumpFiguresAreRead) {
  Write(kDumpStatisticsFile, Image(kMagics, {kDump}));
  ASSERT_OK_AND_ASSIGN(const DumpStatistics figures, ReadDumpStatistics(directory_.ref()));
  EXPECT_EQ(figures, (DumpStatistics{.freezing_us = 1,
                                     .frozen_us = 2,
                                     .memdump_us = 3,
                                     .memwrite_us = 4,
                                     .pages_scanned = 300,
                                     .pages_written = 7}));
}

TEST_F(StatisticsTest, RestoreFiguresAreRead) {
  Write(kRestoreStatisticsFile, Image(kMagics, {kRestore}));
  ASSERT_OK_AND_ASSIGN(const RestoreStatistics figures, ReadRestoreStatistics(directory_.ref()));
  EXPECT_EQ(figures.forking_us, 5U);
  EXPECT_EQ(figures.restore_us, 6U);
  EXPECT_EQ(figures.pages_restored, 7U);
}

TEST_F(StatisticsTest, MissingFileIsAnError) {
  EXPECT_THAT(ReadDumpStatistics(directory_.ref()), FailsWith(Code::kDataLoss));
}

TEST_F(StatisticsTest, FiguresOfTheOtherActionAreNoFigures) {
  Write(kDumpStatisticsFile, Image(kMagics, {kRestore}));
  EXPECT_THAT(ReadDumpStatistics(directory_.ref()), FailsWith(Code::kDataLoss));
}

TEST_F(StatisticsTest, EveryTruncationIsDamage) {
  const std::string good = Image(kMagics, {kDump});
  for (std::size_t size = 0; size < good.size(); ++size) {
    Write(kDumpStatisticsFile, good.substr(0, size));
    EXPECT_THAT(ReadDumpStatistics(directory_.ref()), FailsWith(Code::kDataLoss)) << size;
  }
}

TEST_F(StatisticsTest, FlippedBitsGiveFiguresOrDamage) {
  const std::string good = Image(kMagics, {kDump});
  for (std::size_t bit = 0; bit < good.size() * 8; ++bit) {
    std::string bytes = good;
    bytes[bit / 8] = static_cast<char>(bytes[bit / 8] ^ (1 << (bit % 8)));
    Write(kDumpStatisticsFile, bytes);
    const auto figures = ReadDumpStatistics(directory_.ref());
    EXPECT_TRUE(figures.ok() || figures.error().code == Code::kDataLoss) << bit;
  }
}

}  // namespace
}  // namespace crd::criu
