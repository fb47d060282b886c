#include "daemon/core/stdio.h"

#include <string>

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/fsuid.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/support/result_matchers.h"
#include "tests/support/temp_dir.h"

namespace crd {
namespace {

constexpr uid_t kSomebody = 4711;

// A log that a member of crd's group asks for. Everything here is made by root.
class StdioLog : public ::testing::Test {
 protected:
  void SetUp() override {
    if (::geteuid() != 0) GTEST_SKIP() << "only root can be somebody else";
    ASSERT_EQ(::chmod(dir_.path().c_str(), 0755), 0);
  }
  Result<RestoreStdio> Open(const std::string& path, uid_t uid, std::vector<gid_t> groups = {}) {
    const std::vector<StdioLink> links = {
        {.kind = StdioLink::Kind::kPipe, .key = "pipe:[1]", .pid = 1, .fd = 1, .writable = true}};
    const StdioToLog log{.path = path,
                         .caller = {.uid = uid, .gid = uid, .groups = std::move(groups)}};
    return RestoreStdio::Open(CheckpointId("c1"), links, log, dir_ / "own.log");
  }
  [[nodiscard]] std::string MakeDirectory(const std::string& name, uid_t owner, gid_t group,
                                          mode_t mode) {
    std::string path = dir_ / name;
    EXPECT_EQ(::mkdir(path.c_str(), 0700), 0);
    EXPECT_EQ(::chown(path.c_str(), owner, group), 0);
    EXPECT_EQ(::chmod(path.c_str(), mode), 0);
    return path;
  }
  testing::TempDir dir_;
};

TEST_F(StdioLog, IsMadeAsTheCallersOwn) {
  const std::string path = MakeDirectory("theirs", kSomebody, kSomebody, 0700) + "/log";
  ASSERT_THAT(Open(path, kSomebody), testing::IsOk());
  struct stat status {};
  ASSERT_EQ(::stat(path.c_str(), &status), 0);
  EXPECT_EQ(status.st_uid, kSomebody);
  EXPECT_EQ(status.st_gid, kSomebody);
}

TEST_F(StdioLog, IsNotMadeWhereTheCallerMayNotWrite) {
  const std::string path = MakeDirectory("ours", 0, 0, 0755) + "/log";
  const auto opened = Open(path, kSomebody);
  ASSERT_THAT(opened, testing::FailsWith(Code::kFailedPrecondition));
  EXPECT_EQ(opened.error().reason, "LOG_UNUSABLE");
  EXPECT_NE(opened.error().message.find("as user 4711"), std::string::npos);
  EXPECT_NE(::access(path.c_str(), F_OK), 0);
  EXPECT_THAT(Open(path, 0), testing::IsOk());
}

TEST_F(StdioLog, OfAnotherUserIsNotTouched) {
  const std::string path = MakeDirectory("shared", 0, 0, 01777) + "/log";
  const UniqueFd file(::open(path.c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
  EXPECT_FALSE(Open(path, kSomebody).ok());
}

TEST_F(StdioLog, MayBeReachedThroughAGroup) {
  constexpr gid_t kGroup = 4712;
  const std::string path = MakeDirectory("groups", 0, kGroup, 0770) + "/log";
  EXPECT_FALSE(Open(path, kSomebody).ok());
  EXPECT_THAT(Open(path, kSomebody, {kGroup}), testing::IsOk());
}

TEST_F(StdioLog, ThatIsCrdsOwnNeedsNoRight) {
  ASSERT_THAT(Open("", kSomebody), testing::IsOk());
  struct stat status {};
  ASSERT_EQ(::stat((dir_ / "own.log").c_str(), &status), 0);
  EXPECT_EQ(status.st_uid, 0U);
}

TEST_F(StdioLog, LeavesTheCallingThreadWhoItWas) {
  const std::string path = MakeDirectory("theirs", kSomebody, kSomebody, 0700) + "/log";
  ASSERT_THAT(Open(path, kSomebody), testing::IsOk());
  EXPECT_EQ(::setfsuid(static_cast<uid_t>(-1)), 0);
  EXPECT_EQ(::setfsgid(static_cast<gid_t>(-1)), 0);
}

}  // namespace
}  // namespace crd
