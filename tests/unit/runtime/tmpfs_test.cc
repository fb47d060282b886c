#include "daemon/runtime/tmpfs.h"

#include "tests/support/result_matchers.h"

namespace crd::runtime {
namespace {

// A container with /dev and a file of it over /proc/keys, /dev/shm, and a masked directory.
class TmpfsTest : public ::testing::Test {
 protected:
  std::vector<std::string> Chosen() {
    plan_.clear();
    for (const MountEntry& mount : container_) {
      plan_.push_back({.mountpoint = mount.mountpoint,
                       .key = mount.root == "/null" ? "/dev/null" : "",
                       .directory = mount.root != "/null"});
    }
    ChooseTmpfs(container_, plan_);
    std::vector<std::string> chosen;
    for (const SavedMount& mount : plan_) {
      if (mount.tmpfs) chosen.push_back(mount.mountpoint);
    }
    return chosen;
  }
  static MountEntry Tmpfs(dev_t device, const std::string& mountpoint) {
    return {.device = device,
            .root = "/",
            .mountpoint = mountpoint,
            .type = "tmpfs",
            .source = "shm",
            .super_options = "ro,size=64k,mode=755"};
  }

  std::vector<MountEntry> container_ = {
      {.device = 1, .root = "/", .mountpoint = "/", .type = "ext4"},
      Tmpfs(50, "/dev"),
      {.device = 51, .root = "/", .mountpoint = "/dev/pts", .type = "devpts"},
      Tmpfs(52, "/dev/shm"),
      {.device = 50, .root = "/null", .mountpoint = "/proc/keys", .type = "tmpfs"},
      Tmpfs(53, "/sys/firmware")};
  std::vector<SavedMount> plan_;
};

TEST_F(TmpfsTest, TakesEveryWholeOne) {
  EXPECT_THAT(Chosen(), ::testing::ElementsAre("/dev", "/dev/shm", "/sys/firmware"));
  EXPECT_EQ(plan_[3].key, "/dev/shm");
  EXPECT_EQ(plan_[3].tmpfs->Archive(), "tmpfs-dev-52.tar.gz.img");
  EXPECT_EQ(plan_[3].tmpfs->options, "size=64k,mode=755");
  EXPECT_EQ(plan_[3].tmpfs->name, "shm");
  EXPECT_TRUE(plan_[3].tmpfs->read_only);
}

TEST_F(TmpfsTest, LeavesToCriuWhatIsMountedTwice) {
  MountEntry again = container_[3];
  again.root = "/below";
  again.mountpoint = "/below";
  container_.push_back(again);
  EXPECT_THAT(Chosen(), ::testing::ElementsAre("/dev", "/sys/firmware"));
}

TEST_F(TmpfsTest, LeavesToCriuWhatIsOutOfSight) {
  container_.push_back({.device = 54, .root = "/", .mountpoint = "/dev", .type = "ext4"});
  EXPECT_THAT(Chosen(), ::testing::ElementsAre("/sys/firmware"));
}

TEST_F(TmpfsTest, LeavesToCriuWhatSharesMounts) {
  container_[5].propagates = true;
  EXPECT_THAT(Chosen(), ::testing::ElementsAre("/dev", "/dev/shm"));
}

}  // namespace
}  // namespace crd::runtime
