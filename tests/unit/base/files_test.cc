#include "daemon/base/files.h"

#include <filesystem>

#include <fcntl.h>
#include <sys/stat.h>

#include "tests/support/result_matchers.h"
#include "tests/support/temp_dir.h"

namespace crd {
namespace {

using testing::FailsWith;
using testing::IsOk;
using testing::TempDir;

class FilesTest : public ::testing::Test {
 protected:
  void SetUp() override {
    auto opened = OpenDirectory(root_.path());
    ASSERT_THAT(opened, IsOk());
    directory_ = std::move(*opened);
  }
  FdRef directory() const { return directory_.ref(); }

  TempDir root_;
  UniqueFd directory_;
};

TEST_F(FilesTest, ANewFileIsNeverAnOldOne) {
  EXPECT_TRUE(CreateFileAt(directory(), "file", "one").ok());
  EXPECT_THAT(CreateFileAt(directory(), "file", "two"), FailsWith(Code::kAlreadyExists));
  EXPECT_EQ(*ReadFileAt(directory(), "file"), "one");
}

TEST_F(FilesTest, WritesAWholeFileThatNobodyElseReads) {
  ASSERT_THAT(WriteFileAt(directory(), "note", "one"), IsOk());
  ASSERT_THAT(WriteFileAt(directory(), "note", "two"), IsOk());
  EXPECT_EQ(*ReadFileAt(directory(), "note"), "two");
  struct stat status {};
  ASSERT_EQ(::stat((root_ / "note").c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0600U);
  EXPECT_EQ(ListDirectory(directory())->size(), 1U);
}

TEST_F(FilesTest, OpensNothingOutsideOfTheDirectory) {
  for (const char* name : {"../etc", "/etc/passwd", "..", "a/../../b"}) {
    EXPECT_FALSE(OpenRegularAt(directory(), name).ok()) << name;
    EXPECT_FALSE(OpenDirectoryAt(directory(), name).ok()) << name;
  }
}

TEST_F(FilesTest, OpensOnlyRegularFiles) {
  std::filesystem::create_symlink("/etc/passwd", root_ / "link");
  ASSERT_EQ(::mkfifo((root_ / "fifo").c_str(), 0600), 0);
  std::filesystem::create_directory(root_ / "folder");
  EXPECT_FALSE(OpenRegularAt(directory(), "link").ok());
  EXPECT_THAT(OpenRegularAt(directory(), "fifo"), FailsWith(Code::kFailedPrecondition));
  EXPECT_THAT(OpenRegularAt(directory(), "folder"), FailsWith(Code::kFailedPrecondition));
  EXPECT_THAT(OpenRegularAt(directory(), "nothing"), FailsWith(Code::kNotFound));
}

TEST_F(FilesTest, RemovesATreeButNotWhatItsLinksLeadTo) {
  TempDir elsewhere;
  ASSERT_THAT(WriteFileAt(OpenDirectory(elsewhere.path())->ref(), "kept", "x"), IsOk());
  std::filesystem::create_directories(root_ / "tree/deep/deeper");
  std::filesystem::create_directory_symlink(elsewhere.path(), root_ / "tree/deep/link");
  ASSERT_THAT(WriteFileAt(directory(), "beside", "x"), IsOk());
  ASSERT_THAT(RemoveTreeAt(directory(), "tree"), IsOk());
  EXPECT_FALSE(std::filesystem::exists(root_ / "tree"));
  EXPECT_TRUE(std::filesystem::exists(root_ / "beside"));
  EXPECT_TRUE(std::filesystem::exists(elsewhere / "kept"));
  EXPECT_THAT(RemoveTreeAt(directory(), "tree"), IsOk());
}

TEST_F(FilesTest, RefusesAFileThatIsNotSmall) {
  const UniqueFd big(::open((root_ / "big").c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
  ASSERT_EQ(::ftruncate(big.get(), static_cast<off_t>(kSmallFileLimit) + 1), 0);
  EXPECT_THAT(ReadFileAt(directory(), "big"), FailsWith(Code::kResourceExhausted));
}

}  // namespace
}  // namespace crd
