#include "daemon/core/image_store.h"

#include <filesystem>
#include <fstream>

#include <fcntl.h>
#include <sys/stat.h>

#include "daemon/core/verify.h"
#include "tests/support/result_matchers.h"
#include "tests/support/temp_dir.h"

namespace crd {
namespace {

using testing::FailsWith;
using testing::IsOk;
using testing::TempDir;

class ImageStoreTest : public ::testing::Test {
 protected:
  void SetUp() override {
    auto opened = ImageStore::Open(state_.path());
    ASSERT_THAT(opened, IsOk());
    store_ = std::move(*opened);
  }

  std::string StagingPath() const { return state_ / "checkpoints/.staging/op1"; }

  static void Put(const std::string& path, const std::string& content) {
    std::ofstream(path, std::ios::binary) << content;
  }

  // A committed checkpoint of three files, one of them big.
  CheckpointId Commit() {
    auto staged = store_->Stage(OperationId("op1"));
    EXPECT_THAT(staged, IsOk());
    Put(StagingPath() + "/images/core-1.img", "registers");
    Put(StagingPath() + "/images/pages-1.img", std::string(3U << 20U, 'p'));
    Put(StagingPath() + "/images/inventory.img", "inventory");
    Manifest manifest;
    auto files = staged->Survey({});
    EXPECT_THAT(files, IsOk());
    manifest.files = *files;
    EXPECT_EQ(manifest.files.size(), 3U);
    EXPECT_THAT(staged->Commit(id_, manifest), IsOk());
    return id_;
  }

  std::vector<std::string> Damages() {
    auto stored = store_->Open(id_);
    if (!stored.ok()) return {stored.error().message};
    std::vector<std::string> texts;
    for (const Damage& damage : Verification(*stored).Finish()) texts.push_back(damage.ToString());
    return texts;
  }

  std::string Image(const std::string& name) const {
    return state_ / ("checkpoints/" + id_.str() + "/images/" + name);
  }

  TempDir state_;
  std::unique_ptr<ImageStore> store_;
  const CheckpointId id_{"00000000000000aa"};
};

TEST_F(ImageStoreTest, WhatIsNotCommittedVanishes) {
  {
    auto staged = store_->Stage(OperationId("op1"));
    ASSERT_THAT(staged, IsOk());
    Put(StagingPath() + "/images/core-1.img", "registers");
  }
  EXPECT_FALSE(std::filesystem::exists(StagingPath()));
}

TEST_F(ImageStoreTest, WhatIsCommittedIsThereAndWhole) {
  Commit();
  EXPECT_FALSE(std::filesystem::exists(StagingPath()));
  EXPECT_TRUE(std::filesystem::is_directory(store_->Path(id_)));
  EXPECT_TRUE(Damages().empty());
}

TEST_F(ImageStoreTest, NobodyElseCanReadAnyOfIt) {
  const mode_t before = ::umask(077);
  Commit();
  ::umask(before);
  for (const auto& entry : std::filesystem::recursive_directory_iterator(state_.path())) {
    const auto others = std::filesystem::perms::group_all | std::filesystem::perms::others_all;
    EXPECT_EQ(entry.status().permissions() & others, std::filesystem::perms::none) << entry.path();
  }
}

TEST_F(ImageStoreTest, ACommitNeverReplacesACheckpoint) {
  Commit();
  auto staged = store_->Stage(OperationId("op1"));
  ASSERT_THAT(staged, IsOk());
  EXPECT_FALSE(staged->Commit(id_, Manifest{}).ok());
  EXPECT_TRUE(Damages().empty());
}

TEST_F(ImageStoreTest, NamesTheFileThatIsMissing) {
  Commit();
  std::filesystem::remove(Image("core-1.img"));
  EXPECT_EQ(Damages(), std::vector<std::string>{"core-1.img is missing"});
}

TEST_F(ImageStoreTest, NamesTheFileThatWasCutShort) {
  Commit();
  std::filesystem::resize_file(Image("pages-1.img"), 1U << 20U);
  EXPECT_EQ(Damages(),
            std::vector<std::string>{"pages-1.img has 1048576 bytes instead of 3145728"});
}

TEST_F(ImageStoreTest, NamesTheFileWithOneFlippedBit) {
  Commit();
  for (const char* name : {"core-1.img", "pages-1.img"}) {
    std::fstream file(Image(name), std::ios::binary | std::ios::in | std::ios::out);
    file.seekp(5);
    file.put('q');
    file.close();
    EXPECT_EQ(Damages(), std::vector<std::string>{std::string(name) +
                                                  " has changed: its digest does not fit"});
    file.open(Image(name), std::ios::binary | std::ios::in | std::ios::out);
    file.seekp(5);
    file.put(name[0] == 'c' ? 't' : 'p');
  }
}

TEST_F(ImageStoreTest, NamesTheFileThatDoesNotBelongToIt) {
  Commit();
  Put(Image("seccomp.img"), "let me in");
  EXPECT_EQ(Damages(), std::vector<std::string>{"seccomp.img does not belong to it"});
}

TEST_F(ImageStoreTest, DoesNotFollowALinkInThePlaceOfAFile) {
  Commit();
  std::filesystem::remove(Image("core-1.img"));
  std::filesystem::create_symlink("/etc/passwd", Image("core-1.img"));
  ASSERT_EQ(Damages().size(), 1U);
}

TEST_F(ImageStoreTest, RemovesEverythingAndCanBeRepeated) {
  Commit();
  EXPECT_THAT(store_->Remove(id_), IsOk());
  EXPECT_THAT(store_->Remove(id_), IsOk());
  EXPECT_THAT(store_->Open(id_), FailsWith(Code::kNotFound));
}

TEST_F(ImageStoreTest, FollowsPagesWhileTheyAreWritten) {
  auto staged = store_->Stage(OperationId("op1"));
  ASSERT_THAT(staged, IsOk());
  ImageFollower follower(staged->images(), [](std::uint64_t) {});
  std::ofstream pages(StagingPath() + "/images/pages-1.img", std::ios::binary);
  Digest expected;
  for (int i = 0; i < 50; ++i) {
    const std::string block(10'000, static_cast<char>('a' + i % 26));
    pages << block << std::flush;
    expected.Add(block.data(), block.size());
  }
  pages.close();
  ASSERT_OK_AND_ASSIGN(const auto followed, follower.Finish());
  ASSERT_EQ(followed.size(), 1U);
  EXPECT_EQ(followed.at("pages-1.img").size, 500'000U);
  EXPECT_EQ(followed.at("pages-1.img").digest, expected.Hex());
}

}  // namespace
}  // namespace crd
