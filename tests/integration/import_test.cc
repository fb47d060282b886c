// Images that CRIU alone has made, and directories that only look so.
#include <filesystem>

#include <sys/stat.h>

#include "tests/integration/support/integration_test.h"

namespace crd::testing {
namespace {

namespace fs = std::filesystem;

class ImportTest : public IntegrationTest {
 protected:
  void SetUp() override {
    IntegrationTest::SetUp();
    fs::create_directory(images_);
  }

  std::string Criu() { return api_->Info()->criu_path(); }

  const std::string images_ = dir_ / "foreign";
};

TEST_F(ImportTest, RestoresWhatCriuHasDumped) {
  Victim& victim = NewVictim("counter", {});
  ASSERT_TRUE(victim.Started());
  const Outcome dumped =
      RunProgram(reaper_, {Criu(), "dump", "--tree", std::to_string(victim.pid()), "--images-dir",
                           images_, "--manage-cgroups=ignore", "--network-lock", "skip"});
  ASSERT_EQ(dumped.exit, 0) << ::testing::PrintToString(dumped);
  const Outcome made = crctl_({"import-images", images_, "--name", "from-criu"});
  ASSERT_EQ(made.exit, 0) << ::testing::PrintToString(made) << crd_.Log();
  const std::string container = Restored("from-criu");
  EXPECT_EQ(api_->GetContainer(container)->pid(), victim.pid());
  EXPECT_TRUE(victim.GoesOn());
}

TEST_F(ImportTest, RefusesWhatIsNoFile) {
  Spill(images_ + "/inventory.img", "x");
  fs::create_symlink("/etc/shadow", images_ + "/pstree.img");
  EXPECT_TRUE(Refused(crctl_({"import-images", images_}), "pstree.img"));
  fs::remove(images_ + "/pstree.img");
  ASSERT_EQ(::mkfifo((images_ + "/files.img").c_str(), 0600), 0);
  EXPECT_TRUE(Refused(crctl_({"import-images", images_}), "files.img"));
  fs::remove(images_ + "/files.img");
  fs::create_directory(images_ + "/parent");
  EXPECT_TRUE(Refused(crctl_({"import-images", images_}), "parent"));
  EXPECT_TRUE(Refused(crctl_({"import-images", images_ + "/nowhere"}), "nowhere"));
}

TEST_F(ImportTest, RefusesWhatIsIncompleteAndLeavesNothing) {
  Victim& victim = NewVictim("counter", {});
  ASSERT_TRUE(victim.Started());
  const std::string pid = std::to_string(victim.pid());
  const Outcome dumped =
      RunProgram(reaper_, {Criu(), "dump", "--tree", pid, "--images-dir", images_,
                           "--leave-running", "--manage-cgroups=ignore", "--network-lock", "skip"});
  ASSERT_EQ(dumped.exit, 0) << ::testing::PrintToString(dumped);
  for (const std::string& name : {std::string("inventory.img"), "core-" + pid + ".img",
                                  "pagemap-" + pid + ".img", std::string("pages-1.img")}) {
    fs::rename(images_ + "/" + name, dir_ / name);
    EXPECT_TRUE(Refused(crctl_({"import-images", images_}), name));
    fs::rename(dir_ / name, images_ + "/" + name);
  }
  fs::resize_file(images_ + "/pages-1.img", fs::file_size(images_ + "/pages-1.img") - 4096);
  EXPECT_TRUE(Refused(crctl_({"import-images", images_}), "pages-1.img"));
  EXPECT_EQ(crctl_({"list", "--quiet"}).Line(), "");
}

}  // namespace
}  // namespace crd::testing
