#include "daemon/runtime/cgroups.h"

#include <algorithm>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "daemon/runtime/mount_table.h"

namespace crd::runtime {
namespace {

using ::testing::ElementsAre;

constexpr const char* kHybrid =
    "25 20 0:22 / /sys/fs/cgroup rw - tmpfs tmpfs rw\n"
    "29 25 0:29 / /sys/fs/cgroup/cpu,cpuacct rw,relatime shared:7 - cgroup cgroup rw,cpu,cpuacct\n"
    "34 25 0:34 / /sys/fs/cgroup/freezer rw - cgroup cgroup rw,freezer\n"
    "37 25 0:37 / /sys/fs/cgroup/systemd rw - cgroup cgroup rw,xattr,name=systemd\n"
    "38 25 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw,nsdelegate\n";

std::string DirectoryOf(const std::vector<CgroupPlace>& places, const std::string& controllers) {
  const auto found = std::find_if(places.begin(), places.end(), [&](const CgroupPlace& place) {
    return place.controllers == controllers;
  });
  return found == places.end() ? "(none)" : found->directory;
}

TEST(MountTable, ReadsFlagsAndEscapedPaths) {
  const auto mounts = ParseMountTable(
      "84 67 254:1 /my\\040data /a\\134b ro,nosuid,nodev,noexec,relatime master:3 - ext4 /dev/v "
      "rw\n"
      "junk\n"
      "85 84 0:40 / /proc rw - proc proc rw\n");
  ASSERT_EQ(mounts.size(), 2U);
  EXPECT_EQ(mounts[0].id, 84);
  EXPECT_EQ(mounts[0].parent, 67);
  EXPECT_EQ(mounts[0].root, "/my data");
  EXPECT_EQ(mounts[0].mountpoint, "/a\\b");
  EXPECT_TRUE(mounts[0].read_only && mounts[0].nosuid && mounts[0].nodev && mounts[0].noexec);
  EXPECT_EQ(mounts[0].type, "ext4");
  EXPECT_FALSE(mounts[1].read_only);
}

TEST(Cgroups, FindsDirectoriesOnAHybridHost) {
  const auto places =
      ParseCgroups("9:name=systemd:/c\n6:freezer:/c\n1:cpu,cpuacct:/c\n3:cpuset:/c\n0::/c\n",
                   ParseMountTable(kHybrid));
  EXPECT_EQ(DirectoryOf(places, "name=systemd"), "/sys/fs/cgroup/systemd/c");
  EXPECT_EQ(DirectoryOf(places, "freezer"), "/sys/fs/cgroup/freezer/c");
  EXPECT_EQ(DirectoryOf(places, "cpu,cpuacct"), "/sys/fs/cgroup/cpu,cpuacct/c");
  EXPECT_EQ(DirectoryOf(places, ""), "/sys/fs/cgroup/unified/c");
  EXPECT_EQ(DirectoryOf(places, "cpuset"), "");  // not mounted
}

TEST(Cgroups, FindsTheOneDirectoryOfCgroup2) {
  const auto places = ParseCgroups(
      "0::/system.slice/a.scope\n",
      ParseMountTable("30 20 0:26 / /sys/fs/cgroup rw shared:4 - cgroup2 cgroup2 rw\n"));
  ASSERT_EQ(places.size(), 1U);
  EXPECT_TRUE(places[0].v2());
  EXPECT_TRUE(places[0].own);
  EXPECT_EQ(places[0].directory, "/sys/fs/cgroup/system.slice/a.scope");
}

TEST(Cgroups, SeesThroughAMountOfAPart) {
  const auto places = ParseCgroups(
      "6:freezer:/docker/ab/c\n",
      ParseMountTable(
          "34 25 0:34 /docker/ab /sys/fs/cgroup/freezer rw - cgroup cgroup rw,freezer\n"));
  EXPECT_EQ(DirectoryOf(places, "freezer"), "/sys/fs/cgroup/freezer/c");
}

TEST(Cgroups, LeavesOutWhatIsBeyondItsOwnNamespace) {
  EXPECT_TRUE(ParseCgroups("0::/../other\n", ParseMountTable(kHybrid)).empty());
}

// A process that has moved into one within it; a hierarchy where the runtime made none.
TEST(Cgroups, FindsTheOneThatTheRuntimeMade) {
  const std::string text = "6:freezer:/c/app/one\n0::/session/c/main\n9:name=systemd:/session/c2\n";
  for (const std::vector<std::string>& made :
       {std::vector<std::string>{"/sys/fs/cgroup/freezer/c", "/elsewhere/session/c"},
        std::vector<std::string>{"/c"}}) {
    const auto places = ParseCgroups(text, ParseMountTable(kHybrid), made);
    EXPECT_EQ(DirectoryOf(places, "freezer"), "/sys/fs/cgroup/freezer/c");
    EXPECT_EQ(DirectoryOf(places, ""), made.size() == 2 ? "/sys/fs/cgroup/unified/session/c"
                                                        : "/sys/fs/cgroup/unified/session/c/main");
    EXPECT_EQ(DirectoryOf(places, "name=systemd"), "/sys/fs/cgroup/systemd/session/c2");
  }
}

TEST(Cgroups, TakesTheRootForNobodys) {
  const auto places = ParseCgroups("6:freezer:/\n", ParseMountTable(kHybrid));
  ASSERT_EQ(places.size(), 1U);
  EXPECT_FALSE(places[0].own);
}

}  // namespace
}  // namespace crd::runtime
