#include "daemon/runtime/rootfs_changes.h"

#include <chrono>
#include <cstdlib>
#include <set>
#include <thread>

#include <sys/xattr.h>

#include "daemon/base/cleanup.h"
#include "daemon/runtime/base_comparison.h"
#include "tests/unit/runtime/layer_fixture.h"

namespace crd::runtime {
namespace {

namespace fs = std::filesystem;
using ::testing::IsEmpty;
using testing::IsOk;

// A root, something that it was made of, and the changes that are made to it.
class RootfsChangesTest : public LayerFixture {
 protected:
  void SetUp() override {
    for (const char* directory : {"same/deep", "emptied", "replaced/old", "to-file/inside"}) {
      MakeDirectories(base_ + "/" + directory);
    }
    for (const char* file : {"same/deep/file", "same/one", "modified", "deleted", "emptied/file",
                             "replaced/old/file", "to-dir", "to-file/inside/file", "owned"}) {
      Write(base_ + "/" + file, std::string("first of ") + file);
    }
    fs::create_hard_link(base_ + "/same/one", base_ + "/same/two");
    fs::create_symlink("modified", base_ + "/link");
    ASSERT_EQ(::setxattr((base_ + "/owned").c_str(), "user.old", "x", 1, 0), 0);
  }

  static void Change(const std::string& root) {
    Write(root + "/created", "new");
    Write(root + "/modified", "first of MODIFIED");
    fs::remove(root + "/deleted");
    fs::remove(root + "/emptied/file");
    fs::remove_all(root + "/replaced");
    MakeDirectories(root + "/replaced");
    Write(root + "/replaced/new", "x");
    fs::remove(root + "/to-dir");
    MakeDirectories(root + "/to-dir/inside");
    Write(root + "/to-dir/inside/file", "x");
    fs::remove_all(root + "/to-file");
    Write(root + "/to-file", "x");
    ASSERT_EQ(::chown((root + "/owned").c_str(), 12, 34), 0);
    ASSERT_EQ(::setxattr((root + "/owned").c_str(), "user.new", "y", 1, 0), 0);
    ASSERT_EQ(::removexattr((root + "/owned").c_str(), "user.old"), 0);
    fs::create_hard_link(root + "/created", root + "/created-too");
    fs::create_hard_link(root + "/same/deep/file", root + "/linked-anew");
    fs::remove(root + "/link");
    fs::create_symlink("elsewhere", root + "/link");
    const UniqueFd sparse(::open((root + "/sparse").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
    ASSERT_EQ(::pwrite(sparse.get(), "end", 3, 4 << 20), 3);
    fs::create_directory(root + "/.dot");
  }

  // A copy with everything, as a root is made anew.
  void CopyOfBase(const std::string& to) {
    ASSERT_EQ(std::system(("cp -a '" + base_ + "' '" + to + "'").c_str()), 0);
  }
  Result<RootfsChanges> Compare(const std::string& root) {
    const UniqueFd from = TRY(OpenDirectory(base_));
    const UniqueFd changed = TRY(OpenDirectory(root));
    return comparison_.Run(from.ref(), changed.ref(), GoOn);
  }

  const std::string base_ = place_ / "base";
  BaseComparison comparison_;
};

TEST_F(RootfsChangesTest, AgainstABaseAreWhatMakesTheSameOfIt) {
  const std::string root = place_ / "root";
  const std::string again = place_ / "again";
  CopyOfBase(root);
  CopyOfBase(again);
  auto changes = Compare(root);
  ASSERT_THAT(changes, IsOk());
  EXPECT_THAT(*changes, IsEmpty());
  Change(root);
  changes = Compare(root);
  ASSERT_THAT(changes, IsOk());
  std::set<std::string> paths;
  for (const RootfsChange& change : *changes) {
    EXPECT_TRUE(paths.insert(change.path).second) << change.path;
  }
  EXPECT_FALSE(paths.contains("same/one"));
  EXPECT_TRUE(paths.contains("same/deep/file"));
  ASSERT_THAT(Save(root, *changes), IsOk());
  for (int i = 0; i < 2; ++i) {
    ASSERT_THAT(LayDownIn(again), IsOk());
    EXPECT_THAT(Differences(again, root), ::testing::IsEmpty());
  }
}

TEST_F(RootfsChangesTest, AgainstABaseKeepAllNamesOfAFile) {
  const std::string root = place_ / "root";
  const std::string again = place_ / "again";
  // Hard links and sizes are as they were; all that tells is the content.
  CopyOfBase(root);
  CopyOfBase(again);
  struct stat was {};
  ASSERT_EQ(::stat((root + "/same/one").c_str(), &was), 0);
  const UniqueFd file(::open((root + "/same/one").c_str(), O_WRONLY | O_CLOEXEC));
  ASSERT_EQ(::pwrite(file.get(), "F", 1, 0), 1);
  const timespec times[] = {was.st_atim, was.st_mtim};
  ASSERT_EQ(::futimens(file.get(), times), 0);
  const auto changes = Compare(root);
  ASSERT_THAT(changes, IsOk());
  ASSERT_THAT(Save(root, *changes), IsOk());
  ASSERT_THAT(LayDownIn(again), IsOk());
  EXPECT_THAT(Differences(again, root), ::testing::IsEmpty());
}

TEST_F(RootfsChangesTest, ASecondLookReadsWhatHasChangedSince) {
  const std::string root = place_ / "root";
  CopyOfBase(root);
  // What changed a moment ago might change again without a trace.
  std::this_thread::sleep_for(std::chrono::seconds(4));
  ASSERT_THAT(Compare(root), IsOk());
  const auto learned = comparison_.files_read();
  ASSERT_GT(learned, 5U);
  ASSERT_THAT(Compare(root), IsOk());
  EXPECT_EQ(comparison_.files_read(), learned);
  struct stat was {};
  ASSERT_EQ(::stat((root + "/modified").c_str(), &was), 0);
  const UniqueFd file(::open((root + "/modified").c_str(), O_WRONLY | O_CLOEXEC));
  ASSERT_EQ(::pwrite(file.get(), "F", 1, 0), 1);
  const timespec times[] = {was.st_atim, was.st_mtim};
  ASSERT_EQ(::futimens(file.get(), times), 0);
  const auto changes = Compare(root);
  ASSERT_THAT(changes, IsOk());
  EXPECT_EQ(comparison_.files_read(), learned + 1);
  EXPECT_EQ(*changes, (RootfsChanges{{"."}, {"modified"}}));
}

TEST_F(RootfsChangesTest, OfAnOverlayAreWhatMakesTheSameOfItsLowerDirectory) {
  for (const char* options : {"redirect_dir=off", "redirect_dir=on", "metacopy=on"}) {
    SCOPED_TRACE(options);
    const std::string here = place_ / options;
    const std::string root = here + "/root";
    for (const char* name : {"/upper", "/work", "/root"}) MakeDirectories(here + name);
    const std::string all = std::string(options) + ",lowerdir=" + base_ + ",upperdir=" + here +
                            "/upper,workdir=" + here + "/work";
    ASSERT_EQ(::mount("overlay", root.c_str(), "overlay", 0, all.c_str()), 0);
    const Cleanup unmount([&] { ::umount2(root.c_str(), MNT_DETACH); });
    Change(root);
    if (std::string(options) != "redirect_dir=off") fs::rename(root + "/same", root + "/renamed");
    const UniqueFd upper = *OpenDirectory(here + "/upper");
    const UniqueFd merged = *OpenDirectory(root);
    const auto changes = ReadOverlayChanges(upper.ref(), merged.ref(), "trusted.overlay.", GoOn);
    ASSERT_THAT(changes, IsOk());
    ASSERT_THAT(Save(root, *changes), IsOk());
    const std::string plain = here + "/plain";
    CopyOfBase(plain);
    for (int i = 0; i < 2; ++i) {
      ASSERT_THAT(LayDownIn(plain), IsOk());
      EXPECT_THAT(Differences(plain, root), ::testing::IsEmpty());
    }
    // And through a new overlay of the same.
    for (const char* name : {"/upper2", "/work2", "/root2"}) MakeDirectories(here + name);
    const std::string anew =
        "lowerdir=" + base_ + ",upperdir=" + here + "/upper2,workdir=" + here + "/work2";
    ASSERT_EQ(::mount("overlay", (here + "/root2").c_str(), "overlay", 0, anew.c_str()), 0);
    const Cleanup unmount_again([&] { ::umount2((here + "/root2").c_str(), MNT_DETACH); });
    ASSERT_THAT(LayDownIn(here + "/root2"), IsOk());
    EXPECT_THAT(Differences(here + "/root2", root), ::testing::IsEmpty());
  }
}

}  // namespace
}  // namespace crd::runtime
