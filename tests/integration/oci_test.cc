// Containers of real runtimes: found, dumped, restored, and still their runtime's.
#include <filesystem>
#include <memory>
#include <string>

#include "tests/integration/support/integration_test.h"
#include "tests/integration/support/oci_container.h"

namespace crd::testing {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

class OciTest : public IntegrationTest, public ::testing::WithParamInterface<Flavour> {
 protected:
  void SetUp() override {
    IntegrationTest::SetUp();
    container_ = std::make_unique<OciContainer>(reaper_, dir_.path(), GetParam());
  }
  void TearDown() override {
    container_.reset();
    IntegrationTest::TearDown();
  }

  Crctl::Words With(Crctl::Words words) const {
    words.insert(words.end(), {"--root", container_->root()});
    return words;
  }
  std::string CheckpointedContainer(const Crctl::Words& options = {}) {
    Crctl::Words words = With({"checkpoint", container_->id()});
    words.insert(words.end(), options.begin(), options.end());
    const Outcome made = crctl_(words);
    EXPECT_EQ(made.exit, 0) << ::testing::PrintToString(made) << crd_.Log();
    return made.Line();
  }

  std::unique_ptr<OciContainer> container_;
};

TEST_P(OciTest, GoesOnAfterARestoreAndIsStillItsRuntimes) {
  ASSERT_TRUE(container_->Run());
  const pid_t before = container_->Pid();
  const auto mounts = MountsOf(before);
  const std::string cgroups = CgroupsOfProcess(before);

  const std::string checkpoint = CheckpointedContainer();
  EXPECT_EQ(container_->Status(), "stopped");
  const long stopped_at = container_->Count();

  const std::string restored = Restored(checkpoint);
  EXPECT_EQ(container_->Status(), "running");
  EXPECT_TRUE(container_->Counts());
  EXPECT_GT(container_->Count(), stopped_at);
  const pid_t after = container_->Pid();
  EXPECT_EQ(api_->GetContainer(restored)->pid(), after);
  EXPECT_EQ(MountsOf(after), mounts);
  EXPECT_EQ(CgroupsOfProcess(after), cgroups);
}

TEST_P(OciTest, TheRuntimeWorksOnARestoredOne) {
  ASSERT_TRUE(container_->Run());
  const std::string restored = Restored(CheckpointedContainer());
  const Outcome exec = container_->Runtime({"exec", container_->id(), "/bin/cat", "/data/count"});
  EXPECT_EQ(exec.exit, 0) << ::testing::PrintToString(exec);
  EXPECT_GT(std::atol(exec.out.c_str()), 0);
  EXPECT_EQ(container_->Runtime({"pause", container_->id()}).exit, 0);
  EXPECT_EQ(container_->Status(), "paused");
  EXPECT_EQ(container_->Runtime({"resume", container_->id()}).exit, 0);
  EXPECT_TRUE(container_->Counts());
  EXPECT_EQ(container_->Runtime({"kill", container_->id(), "KILL"}).exit, 0);
  EXPECT_THAT(crctl_({"wait", restored}).out, HasSubstr("KILL"));
  EXPECT_EQ(container_->Status(), "stopped");
  EXPECT_EQ(container_->Runtime({"delete", container_->id()}).exit, 0);
  EXPECT_EQ(container_->Status(), "");
}

TEST_P(OciTest, LeavesARunningOneAsItWas) {
  ASSERT_TRUE(container_->Run());
  const pid_t pid = container_->Pid();
  const std::string cgroups = CgroupsOfProcess(pid);
  const std::string checkpoint = CheckpointedContainer({"--leave-running"});
  EXPECT_TRUE(container_->Counts());
  EXPECT_EQ(container_->Status(), "running");
  EXPECT_EQ(container_->Pid(), pid);
  EXPECT_EQ(CgroupsOfProcess(pid), cgroups);
  EXPECT_TRUE(Refused(crctl_({"restore", checkpoint}), "it runs, as process"));
}

TEST_P(OciTest, IsCheckpointedAgainAfterARestore) {
  ASSERT_TRUE(container_->Run());
  const std::string restored = Restored(CheckpointedContainer());
  // By crd's own record of it this time.
  const Outcome again = crctl_(With({"checkpoint", container_->id()}));
  ASSERT_EQ(again.exit, 0) << ::testing::PrintToString(again) << crd_.Log();
  Restored(again.Line());
  EXPECT_TRUE(container_->Counts());
}

TEST_P(OciTest, RestoresItsOutputToWhereItWent) {
  ASSERT_TRUE(container_->Run());
  const std::string checkpoint = CheckpointedContainer();
  const auto size = std::filesystem::file_size(container_->out());
  Restored(checkpoint);
  EXPECT_TRUE(WaitUntil([&] { return std::filesystem::file_size(container_->out()) > size; }));
  EXPECT_THAT(Slurp(container_->out()), Not(HasSubstr(std::string(1, '\0'))));
}

TEST_P(OciTest, IsFoundByPrefixAndListed) {
  ASSERT_TRUE(container_->Run());
  const auto list = crctl_.Json(With({"ps", "--runtime"}));
  ASSERT_TRUE(list.is_object());
  bool found = false;
  for (const auto& one : list["containers"]) {
    if (one.value("id", "") != container_->id()) continue;
    found = true;
    EXPECT_EQ(one.value("pid", 0), container_->Pid());
    EXPECT_EQ(one.value("status", ""), "running");
    EXPECT_EQ(one.value("bundle", ""), container_->bundle());
    EXPECT_EQ(one.value("runtime", ""), GetParam() == Flavour::kCrun ? "crun" : "runc");
  }
  EXPECT_TRUE(found);
  const std::string prefix = container_->id().substr(0, container_->id().size() - 2);
  const Outcome check = crctl_(With({"check", prefix}));
  EXPECT_EQ(check.exit, 0) << ::testing::PrintToString(check);
}

TEST_P(OciTest, RefusesAPausedOneAndLeavesItPaused) {
  ASSERT_TRUE(container_->Run());
  ASSERT_EQ(container_->Runtime({"pause", container_->id()}).exit, 0);
  EXPECT_TRUE(Refused(crctl_(With({"checkpoint", container_->id()})), "is paused"));
  EXPECT_EQ(container_->Status(), "paused");
  ASSERT_EQ(container_->Runtime({"resume", container_->id()}).exit, 0);
}

TEST_P(OciTest, RefusesAStoppedOne) {
  ASSERT_TRUE(container_->Run());
  ASSERT_EQ(container_->Runtime({"kill", container_->id(), "KILL"}).exit, 0);
  EXPECT_TRUE(WaitUntil([&] { return container_->Status() == "stopped"; }));
  EXPECT_TRUE(Refused(crctl_(With({"checkpoint", container_->id()})), "is stopped"));
}

TEST_P(OciTest, RefusesAnExecedProcessByName) {
  ASSERT_TRUE(container_->Run());
  ASSERT_EQ(container_->Runtime({"exec", "--detach", container_->id(), "/bin/sleep", "997"}).exit,
            0);
  const Outcome refused = crctl_(With({"checkpoint", container_->id()}));
  EXPECT_TRUE(Refused(refused, "/bin/sleep 997"));
  EXPECT_TRUE(container_->Counts());
}

TEST_P(OciTest, RefusesOneWhoseBundleHasGone) {
  ASSERT_TRUE(container_->Run());
  std::filesystem::rename(container_->bundle() + "/config.json", dir_ / "config.json");
  EXPECT_TRUE(Refused(crctl_(With({"checkpoint", container_->id()})), "config.json"));
  std::filesystem::rename(dir_ / "config.json", container_->bundle() + "/config.json");
  EXPECT_TRUE(container_->Counts());
}

TEST_P(OciTest, RefusesARestoreWhoseMountSourceHasGone) {
  ASSERT_TRUE(container_->Run());
  const std::string checkpoint = CheckpointedContainer();
  std::filesystem::rename(container_->data(), dir_ / "moved");
  EXPECT_TRUE(Refused(crctl_({"restore", checkpoint}), container_->data()));
  EXPECT_EQ(container_->Status(), "stopped");
  std::filesystem::rename(dir_ / "moved", container_->data());
  Restored(checkpoint);
  EXPECT_TRUE(container_->Counts());
}

TEST_P(OciTest, RefusesARestoreThatItsRuntimeHasForgotten) {
  ASSERT_TRUE(container_->Run());
  const std::string checkpoint = CheckpointedContainer();
  ASSERT_EQ(container_->Runtime({"delete", container_->id()}).exit, 0);
  EXPECT_TRUE(Refused(crctl_({"restore", checkpoint}), "does not know it any more"));
}

INSTANTIATE_TEST_SUITE_P(Runtimes, OciTest,
                         ::testing::Values(Flavour::kRunc, Flavour::kCrun, Flavour::kRuncV2),
                         [](const auto& test) { return FlavourName(test.param); });

}  // namespace
}  // namespace crd::testing
