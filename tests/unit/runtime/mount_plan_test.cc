#include "daemon/runtime/mount_plan.h"

#include <algorithm>
#include <set>

#include <nlohmann/json.hpp>
#include <sys/mount.h>

#include "daemon/base/files.h"
#include "daemon/runtime/mount_flags.h"
#include "tests/support/result_matchers.h"

namespace crd::runtime {
namespace {

using ::testing::Contains;
using ::testing::IsEmpty;
using testing::Refuses;

std::vector<MountEntry> Recorded(const std::string& name) {
  auto text = ReadFile(DATA_DIRECTORY "/" + name);
  return ParseMountTable(text.ok() ? *text : "");
}

// The container of the recorded files: runc's default bundle with /srv/data on /data, run by crun
// on the v1 cgroups of a host.
class MountPlanTest : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_OK_AND_ASSIGN(const std::string text, ReadFile(DATA_DIRECTORY "/config.json"));
    ASSERT_OK_AND_ASSIGN(bundle_, ParseBundle("/srv/web", text));
    container_ = Recorded("crun-v1-mountinfo");
    host_ = Recorded("host-mountinfo");
    ASSERT_FALSE(container_.empty());
    ASSERT_FALSE(host_.empty());
  }

  Result<std::vector<SavedMount>> Plan(Kind runtime = Kind::kRunc) const {
    const std::set<std::string> files = {"/proc/keys", "/proc/timer_list"};
    return PlanMounts(runtime, bundle_, container_, host_,
                      [&](const std::string& path) { return files.count(path) == 0; });
  }
  static SavedMount Find(const std::vector<SavedMount>& mounts, const std::string& mountpoint) {
    const auto found = std::find_if(mounts.begin(), mounts.end(), [&](const SavedMount& mount) {
      return mount.mountpoint == mountpoint;
    });
    return found == mounts.end() ? SavedMount{} : *found;
  }

  Bundle bundle_;
  std::vector<MountEntry> container_;
  std::vector<MountEntry> host_;
};

TEST_F(MountPlanTest, CallsABindMountLikeItsDestination) {
  ASSERT_OK_AND_ASSIGN(const auto mounts, Plan());
  const SavedMount data = Find(mounts, "/data");
  EXPECT_EQ(data.key, "/data");
  EXPECT_EQ(data.source, "/srv/data");
  EXPECT_TRUE(data.on_root);
  EXPECT_TRUE(data.directory);
}

TEST_F(MountPlanTest, LeavesToCriuWhatItMakesAnew) {
  ASSERT_OK_AND_ASSIGN(const auto mounts, Plan());
  for (const char* path : {"/", "/proc", "/dev", "/dev/pts", "/dev/shm", "/dev/mqueue", "/sys",
                           "/sys/fs/cgroup", "/proc/acpi", "/proc/sys"}) {
    EXPECT_EQ(Find(mounts, path).mountpoint, path);
    EXPECT_EQ(Find(mounts, path).key, "") << path;
  }
}

TEST_F(MountPlanTest, MasksFilesWithTheHostsNull) {
  ASSERT_OK_AND_ASSIGN(const auto mounts, Plan());
  for (const char* path : {"/proc/keys", "/proc/timer_list"}) {
    EXPECT_EQ(Find(mounts, path).key, "/dev/null");
    EXPECT_EQ(Find(mounts, path).source, "/dev/null");
    EXPECT_FALSE(Find(mounts, path).on_root);
  }
}

TEST_F(MountPlanTest, CallsWhatCrunMasksLikeTheFile) {
  ASSERT_OK_AND_ASSIGN(const auto mounts, Plan(Kind::kCrun));
  for (const char* path : {"/proc/keys", "/proc/timer_list"}) {
    EXPECT_EQ(Find(mounts, path).key, path);
    EXPECT_EQ(Find(mounts, path).source, "/dev/null");
  }
}

TEST_F(MountPlanTest, FindsTheContainersCgroupsOnTheHost) {
  ASSERT_OK_AND_ASSIGN(const auto mounts, Plan());
  const SavedMount freezer = Find(mounts, "/sys/fs/cgroup/freezer");
  EXPECT_EQ(freezer.key, "/sys/fs/cgroup/freezer");
  EXPECT_EQ(freezer.source, "/sys/fs/cgroup/freezer/web");
  EXPECT_TRUE(freezer.read_only);
}

TEST_F(MountPlanTest, TakesCgroups2OfAUserNamespaceFromTheHost) {
  host_.push_back(
      {.id = 900, .device = 77, .root = "/", .mountpoint = "/cgroups", .type = "cgroup2"});
  container_.push_back(
      {.id = 901, .device = 77, .root = "/web", .mountpoint = "/mine", .type = "cgroup2"});
  ASSERT_OK_AND_ASSIGN(const auto without, Plan());
  EXPECT_EQ(Find(without, "/mine").key, "");
  bundle_.users = {.users = {{0, 100000, 10}}, .groups = {{0, 100000, 10}}};
  ASSERT_OK_AND_ASSIGN(const auto with, Plan());
  EXPECT_EQ(Find(with, "/mine").source, "/cgroups/web");
}

TEST_F(MountPlanTest, LeavesCgroupsOfANamespaceOfItsOwnToCriu) {
  container_.push_back({.id = 901, .device = 77, .mountpoint = "/mine", .type = "cgroup2"});
  bundle_.users = {.users = {{0, 100000, 10}}, .groups = {{0, 100000, 10}}};
  bundle_.namespaces.push_back({.type = "cgroup", .path = ""});
  ASSERT_OK_AND_ASSIGN(const auto mounts, Plan());
  EXPECT_EQ(Find(mounts, "/mine").key, "");
  EXPECT_EQ(Find(mounts, "/sys/fs/cgroup/freezer").key, "");
  bundle_.namespaces.back().path = "/proc/1/ns/cgroup";
  host_.push_back(
      {.id = 900, .device = 77, .root = "/", .mountpoint = "/cgroups", .type = "cgroup2"});
  ASSERT_OK_AND_ASSIGN(const auto joined, Plan());
  EXPECT_EQ(Find(joined, "/mine").source, "/cgroups");
  EXPECT_EQ(Find(joined, "/sys/fs/cgroup/freezer").source, "/sys/fs/cgroup/freezer/web");
}

TEST_F(MountPlanTest, TakesATmpfsOfTheHostFromThere) {
  host_.push_back({.id = 900, .device = 77, .root = "/", .mountpoint = "/run", .type = "tmpfs"});
  container_.push_back({.id = 901,
                        .parent = container_.front().id,
                        .device = 77,
                        .root = "/app/socket",
                        .mountpoint = "/socket",
                        .type = "tmpfs"});
  ASSERT_OK_AND_ASSIGN(const auto mounts, Plan());
  EXPECT_EQ(Find(mounts, "/socket").source, "/run/app/socket");
}

TEST_F(MountPlanTest, RefusesWhatNobodyShows) {
  container_.push_back(
      {.id = 901, .device = 77, .root = "/", .mountpoint = "/secret", .type = "xfs"});
  EXPECT_THAT(Plan(), Refuses("MOUNT_UNSUPPORTED"));
}

TEST_F(MountPlanTest, TellsCriuBothWays) {
  ASSERT_OK_AND_ASSIGN(auto mounts, Plan());
  const SavedContainer container{.mounts = std::move(mounts)};
  const auto dump = ExternalForDump(container);
  EXPECT_THAT(dump, Contains("mnt[/data]:/data"));
  EXPECT_THAT(dump, Contains("mnt[/proc/keys]:/dev/null"));
  EXPECT_THAT(dump, Contains("mnt[/proc/timer_list]:/dev/null"));
  const auto restore = ExternalForRestore(container);
  EXPECT_THAT(restore, Contains("mnt[/data]:/srv/data"));
  EXPECT_EQ(std::count(restore.begin(), restore.end(), "mnt[/dev/null]:/dev/null"), 1);
}

TEST_F(MountPlanTest, ComesBackFromJsonAsItWas) {
  ASSERT_OK_AND_ASSIGN(auto mounts, Plan());
  const SavedContainer before{.kind = Kind::kCrun,
                              .state_path = "/run/crun/web/status",
                              .id = "web",
                              .bundle = "/srv/web",
                              .rootfs = "/srv/web/rootfs",
                              .mounts = std::move(mounts),
                              .cgroups = {{.controllers = "freezer",
                                           .path = "/web",
                                           .directory = "/sys/fs/cgroup/f/web",
                                           .own = true}},
                              .own_pids = true,
                              .own_network = true,
                              .loopback_up = true,
                              .users = {.users = {{0, 100000, 1000}, {1000, 4294967295, 1}},
                                        .groups = {{0, 100000, 1000}}}};
  ASSERT_OK_AND_ASSIGN(const SavedContainer after, SavedContainerFromJson(ToJson(before)));
  EXPECT_EQ(before, after);
}

TEST_F(MountPlanTest, PutsOnlyThoseFlagsRightThatAreWrong) {
  ASSERT_OK_AND_ASSIGN(const auto saved, Plan());
  EXPECT_THAT(PlanFlagRepairs(saved, container_), IsEmpty());
  std::vector<MountEntry> restored = container_;
  for (MountEntry& mount : restored) {
    if (mount.mountpoint == "/proc/bus") mount.read_only = false;
    if (mount.mountpoint == "/data") mount.nodev = true;
  }
  const auto repairs = PlanFlagRepairs(saved, restored);
  ASSERT_EQ(repairs.size(), 2U);
  EXPECT_EQ(repairs[0].mountpoint, "/data");
  EXPECT_EQ(repairs[0].clear, static_cast<unsigned long>(MOUNT_ATTR_NODEV));
  EXPECT_EQ(repairs[0].set, 0U);
  EXPECT_EQ(repairs[1].mountpoint, "/proc/bus");
  EXPECT_EQ(repairs[1].set, static_cast<unsigned long>(MOUNT_ATTR_RDONLY));
}

}  // namespace
}  // namespace crd::runtime
