#include "daemon/base/sync.h"

#include "daemon/base/files.h"
#include "tests/support/result_matchers.h"
#include "tests/support/temp_dir.h"

namespace crd {
namespace {

using testing::FailsWith;
using testing::IsOk;
using testing::TempDir;

TEST(SyncTest, SyncsMoreFilesThanItHasThreads) {
  const TempDir root;
  ASSERT_OK_AND_ASSIGN(const UniqueFd directory, OpenDirectory(root.path()));
  std::vector<UniqueFd> files;
  std::vector<SyncTarget> targets = {{directory.ref(), "directory"}};
  for (int i = 0; i < 100; ++i) {
    const std::string name = std::to_string(i);
    ASSERT_OK_AND_ASSIGN(UniqueFd file, CreateFileAt(directory.ref(), name, "content"));
    files.push_back(std::move(file));
    targets.push_back({files.back().ref(), name});
  }
  EXPECT_THAT(SyncTogether(targets), IsOk());
}

TEST(SyncTest, NothingIsSyncedAtOnce) { EXPECT_THAT(SyncTogether({}), IsOk()); }

TEST(SyncTest, NamesTheFileThatCannotBeSynced) {
  const TempDir root;
  ASSERT_OK_AND_ASSIGN(const UniqueFd directory, OpenDirectory(root.path()));
  const auto synced = SyncTogether({{directory.ref(), "good"}, {FdRef(-1), "bad"}});
  EXPECT_THAT(synced, FailsWith(Code::kInternal));
  EXPECT_THAT(synced.error().message, ::testing::HasSubstr("bad"));
}

}  // namespace
}  // namespace crd
