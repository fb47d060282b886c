#include "daemon/criu/kernel_cache.h"

#include <chrono>
#include <filesystem>
#include <fstream>

#include <fcntl.h>
#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include "daemon/base/files.h"
#include "tests/support/result_matchers.h"
#include "tests/unit/criu/criu_path.h"

namespace crd::criu {
namespace {

using ::crd::testing::IsOk;
using ::testing::HasSubstr;
using ::testing::Not;

// A directory on a file system of the test's choice: what is on a tmpfs is treated differently.
class PlaceOn {
 public:
  explicit PlaceOn(const std::string& parent) : path_(parent + "/crd-test-XXXXXX") {
    if (::mkdtemp(path_.data()) == nullptr) std::abort();
    directory_.reset(::open(path_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  }
  PlaceOn(const PlaceOn&) = delete;
  PlaceOn& operator=(const PlaceOn&) = delete;
  ~PlaceOn() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  [[nodiscard]] FdRef fd() const { return directory_.ref(); }
  [[nodiscard]] std::string cache() const { return path_ + "/criu.kdat"; }
  [[nodiscard]] std::string content() const { return *ReadFile(cache()); }
  [[nodiscard]] bool IsTmpfs() const {
    struct statfs status {};
    return ::fstatfs(directory_.get(), &status) == 0 && status.f_type == TMPFS_MAGIC;
  }
  void Put(const std::string& bytes, mode_t mode = 0600) const {
    std::ofstream(cache()) << bytes;
    ::chmod(cache().c_str(), mode);
  }

 private:
  std::string path_;
  UniqueFd directory_;
};

class KernelCacheTest : public ::testing::Test {
 protected:
  void SetUp() override { ASSERT_FALSE(disk_.IsTmpfs()) << "/var/tmp survives reboots elsewhere"; }

  Result<bool> Prime(const PlaceOn& place, const std::string& criu = CriuPath()) {
    return PrimeKernelCache(children_, criu, disk_.fd(), place.cache());
  }
  // Where CRIU's /run is no tmpfs; holds crd's copy as well.
  PlaceOn disk_{"/var/tmp"};
  Children children_;
};

TEST_F(KernelCacheTest, IsGeneratedOnceAndThenLeftAlone) {
  ASSERT_OK_AND_ASSIGN(const bool first, Prime(disk_));
  EXPECT_TRUE(first);
  struct stat status {};
  ASSERT_EQ(::stat(disk_.cache().c_str(), &status), 0);
  EXPECT_EQ(status.st_mode, S_IFREG | 0600U);
  EXPECT_GT(status.st_size, 100);
  ASSERT_OK_AND_ASSIGN(const bool second, Prime(disk_));
  EXPECT_FALSE(second);
}

TEST_F(KernelCacheTest, GeneratingChangesNoMountOfThisProcess) {
  const auto before = *ReadFile("/proc/self/mountinfo");
  ASSERT_THAT(Prime(disk_), IsOk());
  EXPECT_EQ(*ReadFile("/proc/self/mountinfo"), before);
}

TEST_F(KernelCacheTest, ForeignFileIsReplacedByOurs) {
  ASSERT_THAT(Prime(disk_), IsOk());
  const std::string ours = disk_.content();
  disk_.Put("of another boot, for all we know");
  ASSERT_OK_AND_ASSIGN(const bool primed, Prime(disk_));
  EXPECT_TRUE(primed);
  EXPECT_EQ(disk_.content(), ours);
}

TEST_F(KernelCacheTest, FileThatOthersCanReadOrWriteIsReplaced) {
  ASSERT_THAT(Prime(disk_), IsOk());
  ASSERT_EQ(::chmod(disk_.cache().c_str(), 0666), 0);
  ASSERT_OK_AND_ASSIGN(const bool primed, Prime(disk_));
  EXPECT_TRUE(primed);
}

TEST_F(KernelCacheTest, CopyWithAnotherKeyIsNotUsed) {
  ASSERT_THAT(Prime(disk_), IsOk());
  const std::string ours = disk_.content();
  ASSERT_THAT(WriteFileAt(disk_.fd(), "criu-kernel-cache", "another boot\nrubbish"), IsOk());
  disk_.Put("rubbish");
  ASSERT_THAT(Prime(disk_), IsOk());
  EXPECT_THAT(disk_.content(), Not(HasSubstr("rubbish")));
  EXPECT_EQ(disk_.content().size(), ours.size());
}

TEST_F(KernelCacheTest, WhatMayBeStaleGoesEvenWhenThereIsNothingToPutInItsPlace) {
  disk_.Put("of another boot, for all we know");
  EXPECT_FALSE(Prime(disk_, "/nonexistent/criu").ok());
  EXPECT_FALSE(std::filesystem::exists(disk_.cache()));
}

TEST_F(KernelCacheTest, ProgramThatWritesNoCacheIsAnError) {
  const auto primed = Prime(disk_, "/bin/true");
  ASSERT_FALSE(primed.ok());
  EXPECT_THAT(primed.error().message, HasSubstr("wrote no cache"));
}

TEST_F(KernelCacheTest, OnATmpfsCriusOwnFileStays) {
  const PlaceOn tmpfs("/dev/shm");
  ASSERT_TRUE(tmpfs.IsTmpfs());
  tmpfs.Put("CRIU's own");
  ASSERT_OK_AND_ASSIGN(const bool primed, Prime(tmpfs));
  EXPECT_FALSE(primed);
  EXPECT_EQ(tmpfs.content(), "CRIU's own");
}

TEST_F(KernelCacheTest, OnATmpfsAFileThatOthersMayWriteGoes) {
  const PlaceOn tmpfs("/dev/shm");
  tmpfs.Put("anybody's", 0666);
  ASSERT_OK_AND_ASSIGN(const bool primed, Prime(tmpfs));
  EXPECT_TRUE(primed);
  EXPECT_THAT(tmpfs.content(), Not(HasSubstr("anybody's")));
}

}  // namespace
}  // namespace crd::criu
