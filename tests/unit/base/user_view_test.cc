#include "daemon/base/user_view.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "daemon/base/files.h"
#include "tests/support/result_matchers.h"
#include "tests/support/temp_dir.h"

namespace crd {
namespace {

TEST(UserView, ShowsFilesAsAnothersAndLeavesThemAsTheyAre) {
  const testing::TempDir directory;
  ASSERT_OK_AND_ASSIGN(const UniqueFd opened, OpenDirectory(directory.path()));
  ASSERT_THAT(WriteFileAt(opened.ref(), "file", "content"), testing::IsOk());
  ASSERT_OK_AND_ASSIGN(const UniqueFd view,
                       ShowTo({.users = "0 100000 10\n", .groups = "0 200000 10\n"}, opened.ref()));
  struct stat seen {};
  ASSERT_EQ(::fstatat(view.get(), "file", &seen, 0), 0);
  EXPECT_EQ(seen.st_uid, 100000U);
  EXPECT_EQ(seen.st_gid, 200000U);
  ASSERT_OK_AND_ASSIGN(const std::string content, ReadFileAt(view.ref(), "file"));
  EXPECT_EQ(content, "content");
  struct stat before {};
  ASSERT_EQ(::fstatat(opened.get(), "file", &before, 0), 0);
  EXPECT_EQ(before.st_uid, 0U);
  EXPECT_EQ(before.st_mode & 07777U, 0600U);
}

TEST(UserView, RefusesMapsThatAreNone) {
  const testing::TempDir directory;
  ASSERT_OK_AND_ASSIGN(const UniqueFd opened, OpenDirectory(directory.path()));
  EXPECT_FALSE(ShowTo({.users = "nonsense", .groups = "0 0 1"}, opened.ref()).ok());
}

}  // namespace
}  // namespace crd
