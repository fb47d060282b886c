#include "daemon/criu/images.h"

#include <fstream>

#include "daemon/base/files.h"
#include "daemon/criu/record_file.h"
#include "tests/support/result_matchers.h"
#include "tests/support/temp_dir.h"
#include "tests/unit/criu/image_bytes.h"

namespace crd::criu {
namespace {

using ::crd::testing::FailsWith;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

const std::vector<std::uint32_t> kTasksMagic = {0x54564319, 0x50273030};
const std::vector<std::uint32_t> kInventoryMagic = {0x58313116};
// pid 100, ppid 0, pgid 100, sid 100, threads 100 and 101; an unknown field 9.
const std::string kRoot("\x08\x64\x10\x00\x18\x64\x20\x64\x28\x64\x28\x65\x48\x01", 14);
const std::string kChild("\x08\x66\x10\x64\x18\x64\x20\x64\x28\x66", 10);
const std::string kZombie("\x08\x67\x10\x64\x18\x64\x20\x64", 8);
const std::string kNegative(
    "\x08\xff\xff\xff\xff\x0f\x10\x00\x18\x64\x20\x64\x28\xff\xff\xff\xff\x0f", 18);

class ImagesTest : public ::testing::Test {
 protected:
  ImagesTest() : directory_(std::move(*OpenDirectory(place_.path()))) {}

  void Write(const std::string& name, const std::string& bytes) {
    std::ofstream(place_ / name, std::ios::binary) << bytes;
  }
  Result<std::vector<ImageTask>> TasksOf(const std::string& bytes) {
    Write("pstree.img", bytes);
    return ReadTasks(directory_.ref());
  }
  Result<ImageInventory> InventoryOf(const std::string& bytes) {
    Write("inventory.img", bytes);
    return ReadInventory(directory_.ref());
  }

  testing::TempDir place_;
  UniqueFd directory_;
};

TEST_F(ImagesTest, TasksComeRootFirstWithTheirThreads) {
  ASSERT_OK_AND_ASSIGN(const auto tasks, TasksOf(Image(kTasksMagic, {kRoot, kChild, kZombie})));
  ASSERT_EQ(tasks.size(), 3U);
  EXPECT_EQ(tasks[0].pid, 100);
  EXPECT_EQ(tasks[0].ppid, 0);
  EXPECT_EQ(tasks[0].pgid, 100);
  EXPECT_EQ(tasks[0].sid, 100);
  EXPECT_THAT(tasks[0].threads, ElementsAre(100, 101));
  EXPECT_EQ(tasks[1].pid, 102);
  EXPECT_EQ(tasks[1].ppid, 100);
  EXPECT_THAT(tasks[2].threads, IsEmpty());
}

TEST_F(ImagesTest, DamageIsDataLossAndNamesTheFile) {
  const std::string good = Image(kTasksMagic, {kRoot, kChild});
  const std::vector<std::string> damaged = {
      "",
      good.substr(0, 6),
      good.substr(0, 8),
      good.substr(0, 10),
      good.substr(0, good.size() - 1),
      Image(kInventoryMagic, {kRoot}),
      Image({0x54564319, 0x50273031}, {kRoot}),
      Image(kTasksMagic, {"\xff\xff\xff"}),
      Image(kTasksMagic, {""}),
      Image(kTasksMagic, {kNegative}),
      Image(kTasksMagic, {}) + LittleEndian(0xffffffff) + kRoot,
  };
  for (const std::string& bytes : damaged) {
    const auto tasks = TasksOf(bytes);
    ASSERT_THAT(tasks, FailsWith(Code::kDataLoss));
    EXPECT_THAT(tasks.error().message, HasSubstr("'pstree.img'"));
  }
}

TEST_F(ImagesTest, MissingImageIsDamage) {
  EXPECT_THAT(ReadTasks(directory_.ref()), FailsWith(Code::kDataLoss));
  EXPECT_THAT(ReadInventory(directory_.ref()), FailsWith(Code::kDataLoss));
}

TEST_F(ImagesTest, ImageThatIsALinkIsNotFollowed) {
  Write("real", Image(kTasksMagic, {kRoot}));
  ASSERT_EQ(::symlinkat("real", directory_.get(), "pstree.img"), 0);
  EXPECT_FALSE(ReadTasks(directory_.ref()).ok());
}

TEST_F(ImagesTest, FlippedBitsNeverCrashAndNeverGiveImpossiblePids) {
  const std::string good = Image(kTasksMagic, {kRoot, kChild});
  for (std::size_t bit = 0; bit < good.size() * 8; ++bit) {
    std::string bytes = good;
    bytes[bit / 8] = static_cast<char>(bytes[bit / 8] ^ (1 << (bit % 8)));
    const auto tasks = TasksOf(bytes);
    if (!tasks.ok()) {
      EXPECT_THAT(tasks, FailsWith(Code::kDataLoss));
      continue;
    }
    for (const ImageTask& task : *tasks) EXPECT_GT(task.pid, 0);
  }
}

TEST_F(ImagesTest, InventoryTellsTheRunThatLockedTheNetwork) {
  const std::string id = "0f6a6c2e-95ac-4b86-b5d4-7d9bd5a8a3a1";
  const std::string record = std::string("\x08\x02\x6a") + static_cast<char>(id.size()) + id;
  ASSERT_OK_AND_ASSIGN(const ImageInventory inventory,
                       InventoryOf(Image(kInventoryMagic, {record})));
  EXPECT_EQ(inventory.dump_run_id, id);
}

TEST_F(ImagesTest, InventoryWithoutARunIdIsOneOfAnOldCriu) {
  ASSERT_OK_AND_ASSIGN(const ImageInventory inventory,
                       InventoryOf(Image(kInventoryMagic, {"\x08\x02"})));
  EXPECT_EQ(inventory.dump_run_id, "");
}

TEST_F(ImagesTest, RunIdThatCouldMeanSomethingToNftablesIsDamage) {
  const std::string record = std::string("\x08\x02\x6a\x06") + "a; b {";
  EXPECT_THAT(InventoryOf(Image(kInventoryMagic, {record})), FailsWith(Code::kDataLoss));
}

TEST_F(ImagesTest, InventoryHasExactlyOneRecord) {
  EXPECT_THAT(InventoryOf(Image(kInventoryMagic, {})), FailsWith(Code::kDataLoss));
  EXPECT_THAT(InventoryOf(Image(kInventoryMagic, {"\x08\x02", "\x08\x02"})),
              FailsWith(Code::kDataLoss));
}

}  // namespace
}  // namespace crd::criu
