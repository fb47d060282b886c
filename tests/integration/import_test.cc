// Images that others made: of CRIU alone, of runc and of crun; and directories that only look so.
#include <filesystem>

#include <sys/stat.h>

#include "tests/integration/support/integration_test.h"
#include "tests/integration/support/oci_container.h"
#include "tests/integration/support/wait_until.h"

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

  // What the runtime itself writes; it knows no host's file as output.
  Outcome CheckpointedBy(OciContainer& container) {
    EXPECT_TRUE(container.Run({}, "/dev/null"));
    return container.Runtime({"--criu", Criu(), "checkpoint", "--image-path", images_,
                              "--work-path", dir_.path(), container.id()});
  }
  Outcome Import(const OciContainer& container, const std::string& runtime) {
    return crctl_({"import-images", images_, "--bundle", container.bundle(), "--root",
                   container.root(), "--id", container.id(), "--runtime", runtime});
  }
  void GoesOnAfterImport(OciContainer& container, const std::string& runtime) {
    const long count = container.Count();
    const Outcome made = Import(container, runtime);
    ASSERT_EQ(made.exit, 0) << ::testing::PrintToString(made) << crd_.Log();
    EXPECT_EQ(container.Status(), "stopped");
    fs::remove_all(images_);
    EXPECT_EQ(crctl_({"verify", made.Line()}).exit, 0);
    Restored(made.Line());
    EXPECT_EQ(container.Status(), "running");
    EXPECT_TRUE(container.Counts());
    EXPECT_GT(container.Count(), count);
    EXPECT_EQ(container.Runtime({"exec", container.id(), "/bin/true"}).exit, 0);
  }

  const std::string images_ = dir_ / "foreign";
};

TEST_F(ImportTest, RestoresWhatRuncHasCheckpointed) {
  OciContainer container(reaper_, dir_.path(), Flavour::kRunc);
  const Outcome dumped = CheckpointedBy(container);
  ASSERT_EQ(dumped.exit, 0) << ::testing::PrintToString(dumped) << Slurp(dir_ / "dump.log");
  GoesOnAfterImport(container, "runc");
}

TEST_F(ImportTest, RestoresWhatCrunHasCheckpointed) {
  const Outcome version = RunProgram(reaper_, {"crun", "--version"});
  if (version.out.find("+CRIU") == std::string::npos) {
    GTEST_SKIP() << "this crun is built without CRIU: it can neither checkpoint nor restore";
  }
  OciContainer container(reaper_, dir_.path(), Flavour::kCrun);
  const Outcome dumped = CheckpointedBy(container);
  ASSERT_EQ(dumped.exit, 0) << ::testing::PrintToString(dumped);
  GoesOnAfterImport(container, "crun");
}

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

TEST_F(ImportTest, WantsTheBundleOfAContainerAndAnIdThatIsFree) {
  OciContainer container(reaper_, dir_.path(), Flavour::kRunc);
  ASSERT_TRUE(container.Run({}, "/dev/null"));
  ASSERT_EQ(container
                .Runtime({"--criu", Criu(), "checkpoint", "--leave-running", "--image-path",
                          images_, "--work-path", dir_.path(), container.id()})
                .exit,
            0);
  EXPECT_TRUE(Refused(crctl_({"import-images", images_}), "a container's"));
  EXPECT_TRUE(Refused(Import(container, "runc"), "exist"));
  EXPECT_EQ(container.Status(), "running");
  EXPECT_TRUE(container.Counts());
}

}  // namespace
}  // namespace crd::testing
