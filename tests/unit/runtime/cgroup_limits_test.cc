#include "daemon/runtime/cgroup_limits.h"

#include <filesystem>
#include <fstream>

#include "daemon/base/files.h"
#include "tests/support/result_matchers.h"
#include "tests/support/temp_dir.h"

namespace crd::runtime {
namespace {

using testing::FailsWith;
using testing::IsOk;
using testing::TempDir;

// Files that look like a cgroup's; what is written goes to their beginning, as to the kernel's.
class CgroupLimitsTest : public ::testing::Test {
 protected:
  void Put(const std::string& name, const std::string& text) {
    std::ofstream(directory_ / name) << text;
  }
  std::string Get(const std::string& name) {
    const auto text = ReadFile(directory_ / name);
    return text.ok() ? *text : "";
  }
  TempDir directory_;
};

TEST_F(CgroupLimitsTest, ReadsWhatThereIs) {
  Put("pids.max", "77\n");
  Put("memory.oom_control", "oom_kill_disable 1\nunder_oom 0\noom_kill 0\n");
  Put("cgroup.procs", "1\n");
  const CgroupLimits limits = {{"memory.oom_control", "1"}, {"pids.max", "77"}};
  EXPECT_EQ(ReadLimits(directory_.path()), limits);
}

TEST_F(CgroupLimitsTest, WritesOnlyWhatDiffers) {
  Put("pids.max", "max\n");
  Put("cpu.shares", "1024\n");
  std::filesystem::permissions(directory_ / "cpu.shares", std::filesystem::perms::owner_read);
  ASSERT_THAT(WriteLimits(directory_.path(), {{"pids.max", "77"}, {"cpu.shares", "1024"}}), IsOk());
  EXPECT_EQ(Get("pids.max").substr(0, 2), "77");
  EXPECT_EQ(Get("cpu.shares"), "1024\n");
}

TEST_F(CgroupLimitsTest, WritesDevicesThroughTheirTwoFiles) {
  Put("devices.list", "a *:* rwm\n");
  Put("devices.deny", "");
  Put("devices.allow", "");
  ASSERT_THAT(WriteLimits(directory_.path(), {{"devices.list", "c 1:3 rwm"}}), IsOk());
  EXPECT_EQ(Get("devices.deny"), "a");
  EXPECT_EQ(Get("devices.allow"), "c 1:3 rwm");
}

TEST_F(CgroupLimitsTest, FailsForALimitThatCannotBeSet) {
  const auto lost = WriteLimits(directory_.path(), {{"memory.max", "4096"}});
  EXPECT_THAT(lost, FailsWith(Code::kNotFound));
  EXPECT_THAT(lost.error().message, ::testing::HasSubstr("memory.max"));
}

TEST_F(CgroupLimitsTest, WritesNoOtherFile) {
  Put("cgroup.procs", "");
  EXPECT_THAT(WriteLimits(directory_.path(), {{"cgroup.procs", "1"}}), FailsWith(Code::kDataLoss));
  EXPECT_THAT(WriteLimits(directory_.path(), {{"../x", "1"}}), FailsWith(Code::kDataLoss));
  EXPECT_EQ(Get("cgroup.procs"), "");
}

}  // namespace
}  // namespace crd::runtime
