// Images go both ways: runtimes restore what crd has checkpointed, and crd what they have.
#include <cstdlib>
#include <filesystem>

#include "tests/integration/support/oci_fixture.h"
#include "tests/integration/support/oci_users.h"

namespace crd::testing {
namespace {

namespace fs = std::filesystem;

class OciInterchangeTest : public OciFixture {
 protected:
  void SetUp() override {
    OciFixture::SetUp();
    if (!container_->RuntimeHasCriu())
      GTEST_SKIP() << "this crun is built without CRIU: it can neither checkpoint nor restore";
    fs::create_directory(images_);
    // An import runs the runtime.
    fs::create_directory(programs_);
    container_->PutRuntimeInto(programs_);
    crd_.Stop();
    ASSERT_TRUE(crd_.Start({.environment = {"PATH=" + programs_ + ":" + Path()}}));
    // A host's file as output is nothing that runtimes know how to restore.
    ASSERT_TRUE(container_->Run(Change(), "/dev/null"));
  }
  // To the container's usual config.json.
  virtual OciContainer::Change Change() { return {}; }

  std::string Criu() { return api_->Info()->criu_path(); }
  Outcome CheckpointedByRuntime(Crctl::Words options = {}) {
    options.insert(options.begin(),
                   {"checkpoint", "--image-path", images_, "--work-path", dir_.path()});
    options.push_back(container_->id());
    return container_->RuntimeWithCriu(Criu(), options);
  }
  Outcome RestoredByRuntime(const std::string& images) {
    return container_->RuntimeWithCriu(
        Criu(), {"restore", "--detach", "--image-path", images, "--work-path", dir_.path(),
                 "--bundle", container_->bundle(), container_->id()});
  }
  Outcome Import() {
    return crctl_(With({"import-images", images_, "--bundle", container_->bundle(), "--id",
                        container_->id(), "--runtime", container_->runtime()}));
  }

  static std::string Path() {
    const char* path = std::getenv("PATH");  // NOLINT(concurrency-mt-unsafe): nobody changes it
    return path == nullptr ? "/usr/sbin:/usr/bin:/sbin:/bin" : path;
  }

  const std::string images_ = dir_ / "foreign";
  const std::string programs_ = dir_ / "programs";
};

TEST_P(OciInterchangeTest, CrdRestoresWhatTheRuntimeHasCheckpointed) {
  const Outcome dumped = CheckpointedByRuntime();
  ASSERT_EQ(dumped.exit, 0) << ::testing::PrintToString(dumped) << Slurp(dir_ / "dump.log");
  const long count = container_->Count();
  const Outcome made = Import();
  ASSERT_EQ(made.exit, 0) << ::testing::PrintToString(made) << crd_.Log();
  EXPECT_NE(container_->Status(), "running");
  fs::remove_all(images_);
  EXPECT_EQ(crctl_({"verify", made.Line()}).exit, 0);
  Restored(made.Line());
  EXPECT_EQ(container_->Status(), "running");
  EXPECT_TRUE(container_->Counts());
  EXPECT_GT(container_->Count(), count);
  EXPECT_EQ(container_->Runtime({"exec", container_->id(), "/bin/true"}).exit, 0);
}

TEST_P(OciInterchangeTest, TheRuntimeRestoresWhatCrdHasCheckpointed) {
  const Crctl::Words look = {"exec", container_->id(), "/bin/sh", "-c", kLookAtTmpfs};
  ASSERT_EQ(container_->Runtime({"exec", container_->id(), "/bin/sh", "-c", kFillTmpfs}).exit, 0);
  const Outcome before = container_->Runtime(look);
  const std::string checkpoint = CheckpointedContainer();
  const long count = container_->Count();
  ASSERT_EQ(container_->Runtime({"delete", container_->id()}).exit, 0);
  const Outcome restored = RestoredByRuntime(ImagesOf(checkpoint));
  ASSERT_EQ(restored.exit, 0) << ::testing::PrintToString(restored) << Slurp(dir_ / "restore.log");
  EXPECT_EQ(container_->Status(), "running");
  EXPECT_TRUE(container_->Counts());
  EXPECT_GT(container_->Count(), count);
  EXPECT_EQ(container_->Runtime(look).out, before.out);
}

TEST_P(OciInterchangeTest, AnImportWantsTheBundleAndAnIdThatIsFree) {
  const Outcome dumped = CheckpointedByRuntime({"--leave-running"});
  ASSERT_EQ(dumped.exit, 0) << ::testing::PrintToString(dumped) << Slurp(dir_ / "dump.log");
  EXPECT_TRUE(Refused(crctl_({"import-images", images_}), "a container's"));
  EXPECT_TRUE(Refused(Import(), "exist"));
  EXPECT_EQ(container_->Status(), "running");
  EXPECT_TRUE(container_->Counts());
}

// With a user namespace, and what comes with it. Of runc alone: crun (1.21) does not tell CRIU of
// the devices that it binds there, and can restore no such container, nor checkpoint one.
class OciUsersInterchangeTest : public OciInterchangeTest {
 protected:
  OciContainer::Change Change() override {
    ChownToUsersRoot(reaper_, *container_);
    fs::permissions(dir_.path(), fs::perms::owner_all | fs::perms::others_exec);
    return [](nlohmann::json& config) {
      MapUsers(config);
      MapNobody(config);
      SetNamespace(config, "cgroup");
    };
  }
};

TEST_P(OciUsersInterchangeTest, CrdRestoresWhatTheRuntimeHasCheckpointed) {
  const Outcome dumped = CheckpointedByRuntime();
  ASSERT_EQ(dumped.exit, 0) << ::testing::PrintToString(dumped) << Slurp(dir_ / "dump.log");
  const Outcome made = Import();
  ASSERT_EQ(made.exit, 0) << ::testing::PrintToString(made) << crd_.Log();
  Restored(made.Line());
  EXPECT_EQ(container_->Status(), "running");
  EXPECT_TRUE(container_->Counts());
  EXPECT_EQ(container_->Runtime({"exec", container_->id(), "/bin/true"}).exit, 0);
}

TEST_P(OciUsersInterchangeTest, TheRuntimeRestoresWhatCrdHasCheckpointed) {
  const std::string checkpoint = CheckpointedContainer();
  ASSERT_EQ(container_->Runtime({"delete", container_->id()}).exit, 0);
  const Outcome restored = RestoredByRuntime(ImagesOf(checkpoint));
  ASSERT_EQ(restored.exit, 0) << ::testing::PrintToString(restored) << Slurp(dir_ / "restore.log");
  EXPECT_EQ(container_->Status(), "running");
  EXPECT_TRUE(container_->Counts());
}

INSTANTIATE_TEST_SUITE_P(Runtimes, OciUsersInterchangeTest, ::testing::Values(Flavour::kRunc),
                         NameOfRuntime);
INSTANTIATE_TEST_SUITE_P(Runtimes, OciInterchangeTest,
                         ::testing::Values(Flavour::kRunc, Flavour::kCrun), NameOfRuntime);

}  // namespace
}  // namespace crd::testing
