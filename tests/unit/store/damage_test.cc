#include <filesystem>
#include <fstream>

#include <gmock/gmock.h>

#include "tests/unit/store/store_fixture.h"

namespace crd::store {
namespace {

using ::testing::HasSubstr;

class DamageTest : public StoreTest {
 protected:
  // A closed database of some dozens of pages.
  void SetUp() override {
    StoreTest::SetUp();
    Change change;
    for (std::uint64_t i = 0; i < 200; ++i) {
      change.checkpoints.push_back(Checkpoint(HexId(i), fmt::format("name-{}", i)));
      change.checkpoints.back().options = std::string(800, 'x');
    }
    ASSERT_THAT(store().Write(change), testing::IsOk());
    store_.reset();
  }

  void Overwrite(std::streamoff offset, const std::string& bytes) {
    std::fstream file(path(), std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(offset).write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
    ASSERT_TRUE(file.good());
  }

  void ExpectRefused() {
    const auto refused = Store::Open(path());
    ASSERT_THAT(refused, testing::Refuses("STORE_DAMAGED"));
    EXPECT_EQ(refused.error().code, Code::kDataLoss);
    EXPECT_THAT(refused.error().message, HasSubstr(path()));
    EXPECT_FALSE(refused.error().hint.empty());
  }
};

TEST_F(DamageTest, ATextFileIsNoDatabase) {
  std::ofstream(path(), std::ios::trunc) << std::string(5000, 'x');
  ExpectRefused();
}

TEST_F(DamageTest, AFileOfAFewBytesIsNoDatabase) {
  std::ofstream(path(), std::ios::trunc) << "hello";
  ExpectRefused();
}

TEST_F(DamageTest, AnEmptyFileBecomesAnEmptyStore) {
  std::filesystem::resize_file(path(), 0);
  Reopen();
  EXPECT_EQ(store().CountCheckpoints({}).value(), 0);
}

TEST_F(DamageTest, ADestroyedHeaderIsFound) {
  Overwrite(0, std::string(100, '\xa5'));
  ExpectRefused();
}

TEST_F(DamageTest, AMissingTailIsFound) {
  std::filesystem::resize_file(path(), std::filesystem::file_size(path()) / 2);
  ExpectRefused();
}

TEST_F(DamageTest, EveryDestroyedPageIsFoundAtOpen) {
  const std::string good = directory_ / "good.db";
  std::filesystem::copy_file(path(), good);
  const auto pages = static_cast<std::streamoff>(std::filesystem::file_size(path()) / 4096);
  ASSERT_GT(pages, 40);
  for (std::streamoff page = 0; page < pages; ++page) {
    SCOPED_TRACE(page);
    Overwrite(page * 4096, std::string(4096, '\xa5'));
    ExpectRefused();
    std::filesystem::copy_file(good, path(), std::filesystem::copy_options::overwrite_existing);
  }
  EXPECT_THAT(Store::Open(path()), testing::IsOk());
}

TEST_F(DamageTest, DamageThatComesLaterIsReportedWhenItIsRead) {
  Reopen();
  // More than SQLite keeps in memory.
  for (std::uint64_t chunk = 1; chunk <= 10; ++chunk) {
    Change change;
    for (std::uint64_t i = 0; i < 200; ++i) {
      change.checkpoints.push_back(Checkpoint(HexId(chunk * 1000 + i)));
      change.checkpoints.back().options = std::string(3000, 'x');
    }
    ASSERT_THAT(store().Write(change), testing::IsOk());
  }
  Overwrite(INT64_C(10) * 4096, std::string((INT64_C(400) * 4096), '\xa5'));
  const auto list = store().ListCheckpoints({}, 10'000, {});
  EXPECT_THAT(list, testing::Refuses("STORE_DAMAGED"));
  EXPECT_THAT(list, testing::FailsWith(Code::kDataLoss));
}

}  // namespace
}  // namespace crd::store
