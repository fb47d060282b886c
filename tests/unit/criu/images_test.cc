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
using ::crd::testing::IsOk;
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

const std::vector<std::uint32_t> kFilesMagic = {0x54564319, 0x56303138};
const std::vector<std::uint32_t> kRemapsMagic = {0x54564319, 0x59133954};

std::string Varint(std::uint64_t number) {
  std::string bytes;
  for (; number >= 0x80; number >>= 7U) bytes += static_cast<char>(0x80U | (number & 0x7fU));
  return bytes + static_cast<char>(number);
}

// A file_entry of a regular file.
std::string RegularFile(char id, const std::string& name) {
  const std::string entry = std::string("\x32") + static_cast<char>(name.size()) + name;
  return std::string("\x08\x01\x10") + id + "\x1a" + static_cast<char>(entry.size()) + entry;
}

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
  EXPECT_THAT(tasks[2].threads, ElementsAre(103));
}

TEST_F(ImagesTest, TheFirstThreadIsTheMainOneWhateverTheImageSays) {
  // As CRIU writes zombies: what stands for the main thread is whatever was in its memory.
  for (const std::uint64_t garbage : {0ULL, 1ULL, 0x7fffffffULL, 0xffffffffULL}) {
    const std::string zombie = kZombie + "\x28" + Varint(garbage);
    ASSERT_OK_AND_ASSIGN(const auto tasks, TasksOf(Image(kTasksMagic, {kRoot, zombie})));
    EXPECT_THAT(tasks[1].threads, ElementsAre(103));
  }
}

TEST_F(ImagesTest, OtherThreadsHavePidsOfTheirOwn) {
  for (const std::uint64_t wrong : {0ULL, 100ULL, 0xffffffffULL}) {
    const std::string task = kRoot + "\x28" + Varint(wrong);
    EXPECT_THAT(TasksOf(Image(kTasksMagic, {task})), FailsWith(Code::kDataLoss));
  }
}

TEST_F(ImagesTest, LinkRemapsAreTheNamesThatCriuMade) {
  // Names 11 for file 3, and a ghost, which is another kind of remap.
  const std::string remap("\x08\x03\x10\x0b\x18\x00", 6);
  const std::string ghost("\x08\x05\x10\x01\x18\x01", 6);
  Write("remap-fpath.img", Image(kRemapsMagic, {remap, ghost}));
  Write("files.img",
        Image(kFilesMagic, {RegularFile(3, "tmp/first"), RegularFile(11, "tmp/link_remap.11")}));
  ASSERT_OK_AND_ASSIGN(const auto paths, ReadLinkRemaps(directory_.ref()));
  EXPECT_THAT(paths, ElementsAre("/tmp/link_remap.11"));
  for (const char* name : {"tmp/other", "tmp/link_remap.", "tmp/link_remap.1x", ""}) {
    Write("files.img", Image(kFilesMagic, {RegularFile(11, name)}));
    EXPECT_THAT(ReadLinkRemaps(directory_.ref()), FailsWith(Code::kDataLoss)) << name;
  }
}

TEST_F(ImagesTest, WithoutRemapsThereIsNoImageOfThem) {
  ASSERT_OK_AND_ASSIGN(const auto paths, ReadLinkRemaps(directory_.ref()));
  EXPECT_THAT(paths, IsEmpty());
}

TEST_F(ImagesTest, TerminalsFromOutsideForgetTheirSessionAndNothingElse) {
  const auto terminal = [](char type, const std::string& session, const std::string& group) {
    return std::string("\x08\x07\x10") + type + "\x30" + session + "\x38" + group + "\x68\x1a";
  };
  const std::string zero(1, '\0');
  const std::string own = terminal(1, "\x64", "\x65");
  const std::vector<std::uint32_t> magic = {0x54564319, 0x59453036};
  Write("tty-info.img", Image(magic, {own, terminal(5, "\x64", "\x65")}));
  ASSERT_THAT(ForgetTerminalSessions(directory_.ref()), IsOk());
  ASSERT_OK_AND_ASSIGN(const auto records,
                       ReadRecords(directory_.ref(), "tty-info.img", magic, 10));
  ASSERT_EQ(records.size(), 2U);
  EXPECT_EQ(records[0], own);
  for (const std::string& field : {std::string("\x10\x05"), "\x30" + zero, "\x38" + zero,
                                   std::string("\x08\x07"), std::string("\x68\x1a")}) {
    EXPECT_THAT(records[1], HasSubstr(field));
  }
  EXPECT_EQ(records[1].size(), 10U);
}

TEST_F(ImagesTest, PeriodicTimersThatHadExpiredAreFound) {
  // it_value, it_interval and ticks in milliseconds and times.
  const auto timer = [](char value, char interval, char ticks) {
    const std::string entry = {0x28, ticks, 0x38, 0, 0x40, value, 0x48, 0, 0x50, interval};
    return std::string("\x08\x11\x10\x04\x62") + static_cast<char>(entry.size()) + entry;
  };
  const auto found = [&](const std::string& record) {
    Write("files.img", Image(kFilesMagic, {RegularFile(3, "tmp/x"), record}));
    const auto result = HasExpiredPeriodicTimer(directory_.ref());
    EXPECT_THAT(result, IsOk());
    return result.ok() && *result;
  };
  EXPECT_TRUE(found(timer(0, 1, 1)));
  EXPECT_FALSE(found(timer(1, 1, 0)));  // it goes
  EXPECT_FALSE(found(timer(0, 1, 0)));  // the program disarmed it
  EXPECT_FALSE(found(timer(0, 0, 1)));  // it was to expire once
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

TEST_F(ImagesTest, TellsHowOutsideFilesWereOpen) {
  // flags 02001 (append, for writing), pos 300, name, ext.
  const std::string outside =
      std::string("\x10\x81\x08\x18\xac\x02\x32\x09", 8) + "file[1:a]" + std::string("\x48\x01", 2);
  const std::string record =
      std::string("\x08\x01\x10\x02\x1a", 5) + static_cast<char>(outside.size()) + outside;
  Write("files.img", Image(kFilesMagic, {RegularFile(1, "/bin/sh"), record}));
  ASSERT_OK_AND_ASSIGN(const auto files, ReadOutsideFiles(directory_.ref()));
  ASSERT_EQ(files.size(), 1U);
  EXPECT_EQ(files[0].key, "file[1:a]");
  EXPECT_EQ(files[0].flags, 02001);
  EXPECT_EQ(files[0].position, 300);
}

}  // namespace
}  // namespace crd::criu
