// Containers that are restored under another name, or elsewhere.
#include <filesystem>
#include <string>
#include <vector>

#include <unistd.h>

#include "daemon/base/ids.h"
#include "tests/integration/support/oci_fixture.h"

namespace crd::testing {
namespace {

using ::testing::HasSubstr;
namespace fs = std::filesystem;

class OciElsewhere : public OciFixture {
 protected:
  void TearDown() override {
    if (container_) container_->Runtime({"delete", "--force", other_});
    container_.reset();
    // Its own are in them until here.
    for (const std::string& directory : made_) RemoveCgroups(directory);
    OciFixture::TearDown();
  }

  // pids.max where there is a controller for it.
  void RunWithLimit() {
    ASSERT_TRUE(container_->Run([](nlohmann::json& config) {
      if (GetParam() == Flavour::kRuncV2) return;
      config["linux"]["resources"]["pids"] = {{"limit", 77}};
    }));
  }
  nlohmann::json StateOf(const std::string& id) {
    return nlohmann::json::parse(container_->Runtime({"state", id}).out, nullptr, false);
  }
  // The directories of this name directly beneath the roots of all hierarchies.
  static std::vector<std::string> CgroupsCalled(const std::string& name) {
    std::vector<std::string> found;
    for (const auto& root : fs::directory_iterator("/sys/fs/cgroup")) {
      if (fs::exists(root.path() / name)) found.push_back(root.path() / name);
    }
    if (fs::exists("/sys/fs/cgroup/" + name)) found.push_back("/sys/fs/cgroup/" + name);
    return found;
  }
  static void RemoveCgroups(const std::string& name) {
    for (const std::string& directory : CgroupsCalled(name)) {
      for (const auto& inner : fs::directory_iterator(directory)) {
        if (inner.is_directory()) ::rmdir(inner.path().c_str());
      }
      ::rmdir(directory.c_str());
    }
  }
  static long CountIn(const std::string& data) {
    return std::strtol(Slurp(data + "/count").c_str(), nullptr, 10);
  }

  const std::string other_ = "crd-other-" + RandomHex16();
  std::vector<std::string> made_;
};

TEST_P(OciElsewhere, RunsUnderAnotherName) {
  RunWithLimit();
  const auto limits = LimitsOf(container_->Pid());
  const std::string checkpoint = CheckpointedContainer();
  const std::string restored = Restored(checkpoint, {"--name", other_});
  const auto state = StateOf(other_);
  ASSERT_TRUE(state.is_object());
  EXPECT_EQ(state.value("status", ""), "running");
  EXPECT_EQ(state.value("pid", 0), api_->GetContainer(restored)->pid());
  EXPECT_EQ(api_->GetContainer(restored)->name(), other_);
  EXPECT_TRUE(container_->Counts());
  EXPECT_THAT(CgroupsOfProcess(state.value("pid", 0)), HasSubstr("/" + other_ + "\n"));
  EXPECT_EQ(LimitsOf(state.value("pid", 0)), limits);
  // Each is its runtime's without the other.
  EXPECT_EQ(container_->Status(), "stopped");
  EXPECT_EQ(container_->Runtime({"delete", container_->id()}).exit, 0);
  const Outcome exec = container_->Runtime({"exec", other_, "/bin/cat", "/data/count"});
  EXPECT_EQ(exec.exit, 0) << ::testing::PrintToString(exec);
  EXPECT_EQ(container_->Runtime({"kill", other_, "KILL"}).exit, 0);
  EXPECT_TRUE(WaitUntil([&] { return StateOf(other_).value("status", "") == "stopped"; }));
  EXPECT_EQ(container_->Runtime({"delete", other_}).exit, 0);
  EXPECT_THAT(CgroupsCalled(other_), ::testing::IsEmpty());
}

TEST_P(OciElsewhere, RefusesANameThatTheRuntimeHas) {
  RunWithLimit();
  const std::string checkpoint = CheckpointedContainer();
  fs::create_directories(container_->root() + "/" + other_);
  EXPECT_TRUE(Refused(crctl_({"restore", checkpoint, "--name", other_}), "there is one already"));
  EXPECT_EQ(FilesIn(container_->root() + "/" + other_), std::vector<std::string>());
  EXPECT_THAT(CgroupsCalled(other_), ::testing::IsEmpty());
  fs::remove(container_->root() + "/" + other_);
  Restored(checkpoint);
  EXPECT_TRUE(container_->Counts());
}

TEST_P(OciElsewhere, LeavesNothingOfAnotherNameBehindWhenItFails) {
  RunWithLimit();
  const std::string checkpoint = CheckpointedContainer();
  const std::string program = container_->bundle() + "/rootfs/bin/busybox";
  fs::rename(program, dir_ / "busybox");
  Spill(program, "another");
  EXPECT_TRUE(Refused(crctl_({"restore", checkpoint, "--name", other_}), "bin/busybox"));
  EXPECT_FALSE(fs::exists(container_->root() + "/" + other_));
  EXPECT_THAT(CgroupsCalled(other_), ::testing::IsEmpty());
  fs::remove(program);
  fs::rename(dir_ / "busybox", program);
  Restored(checkpoint);
}

TEST_P(OciElsewhere, RunsInAnotherBundleWithItsSources) {
  RunWithLimit();
  const std::string checkpoint = CheckpointedContainer();
  const std::string bundle = dir_ / "elsewhere";
  const std::string data = dir_ / "other-data";
  fs::create_directory(data);
  fs::copy(container_->bundle(), bundle,
           fs::copy_options::recursive | fs::copy_options::copy_symlinks);
  auto config = nlohmann::json::parse(Slurp(bundle + "/config.json"));
  for (auto& mount : config["mounts"]) {
    if (mount["destination"] == "/data") mount["source"] = data;
  }
  Spill(bundle + "/config.json", config.dump());
  fs::rename(container_->bundle(), dir_ / "gone");
  Restored(checkpoint, {"--bundle", bundle});
  const auto state = StateOf(container_->id());
  EXPECT_EQ(state.value("status", ""), "running");
  EXPECT_EQ(state.value("bundle", ""), bundle);
  EXPECT_TRUE(fs::equivalent("/proc/" + std::to_string(container_->Pid()) + "/root/bin",
                             bundle + "/rootfs/bin"));
  EXPECT_TRUE(WaitUntil([&] { return CountIn(data) > container_->Count(); }));
  // It is what the next checkpoint goes by.
  Restored(CheckpointedContainer());
  const long count = CountIn(data);
  EXPECT_TRUE(WaitUntil([&] { return CountIn(data) > count; }));
  fs::rename(dir_ / "gone", container_->bundle());
}

TEST_P(OciElsewhere, TakesAnotherSourceForAMount) {
  RunWithLimit();
  const std::string checkpoint = CheckpointedContainer();
  const std::string data = dir_ / "other-data";
  EXPECT_TRUE(Refused(crctl_({"restore", checkpoint, "--mount", "/data=" + data}), data));
  fs::create_directory(data);
  EXPECT_TRUE(Refused(crctl_({"restore", checkpoint, "--mount", "/proc=" + data}), "/proc"));
  Restored(checkpoint, {"--mount", "/data=" + data});
  EXPECT_EQ(container_->Status(), "running");
  EXPECT_TRUE(WaitUntil([&] { return CountIn(data) > container_->Count(); }));
}

TEST_P(OciElsewhere, RunsBeneathAnotherCgroupWithItsLimits) {
  RunWithLimit();
  const auto limits = LimitsOf(container_->Pid());
  const std::string checkpoint = CheckpointedContainer();
  const std::string parent = "crd-parent-" + RandomHex16();
  made_.push_back(parent);
  const std::string restored = Restored(checkpoint, {"--cgroup-parent", "/" + parent});
  const pid_t pid = container_->Pid();
  EXPECT_THAT(CgroupsCalled(container_->id()), ::testing::IsEmpty());
  EXPECT_EQ(api_->GetContainer(restored)->pid(), pid);
  EXPECT_THAT(CgroupsOfProcess(pid), HasSubstr("/" + parent + "/" + container_->id() + "\n"));
  EXPECT_EQ(LimitsOf(pid), limits);
  EXPECT_EQ(container_->Runtime({"pause", container_->id()}).exit, 0);
  EXPECT_EQ(container_->Status(), "paused");
  EXPECT_EQ(container_->Runtime({"resume", container_->id()}).exit, 0);
  EXPECT_TRUE(container_->Counts());
}

TEST_P(OciElsewhere, RefusesACgroupBeneathAnotherThatIsBusy) {
  RunWithLimit();
  const std::string checkpoint = CheckpointedContainer();
  const std::string parent = "crd-parent-" + RandomHex16();
  made_.push_back(parent);
  const std::string hierarchy =
      GetParam() == Flavour::kRuncV2
          ? (fs::exists("/sys/fs/cgroup/unified") ? "/sys/fs/cgroup/unified/" : "/sys/fs/cgroup/")
          : "/sys/fs/cgroup/pids/";
  const std::string cgroup = hierarchy + parent + "/" + container_->id();
  fs::create_directories(cgroup);
  const Process somebody(reaper_, {.argv = {"sleep", "600"}});
  WriteControl(cgroup + "/cgroup.procs", std::to_string(somebody.pid()));
  EXPECT_TRUE(Refused(crctl_({"restore", checkpoint, "--cgroup-parent", "/" + parent}),
                      std::to_string(somebody.pid())));
  EXPECT_EQ(container_->Status(), "stopped");
  WriteControl(hierarchy + "cgroup.procs", std::to_string(somebody.pid()));
}

TEST_F(IntegrationTest, TakesNoBundleForATree) {
  Victim victim(reaper_, dir_.path(), "counter");
  ASSERT_TRUE(victim.Started());
  const std::string checkpoint = Checkpointed(victim);
  EXPECT_TRUE(Refused(crctl_({"restore", checkpoint, "--bundle", dir_.path()}), "process tree"));
  Restored(checkpoint);
}

INSTANTIATE_TEST_SUITE_P(Runtimes, OciElsewhere, EveryRuntime(), NameOfRuntime);

}  // namespace
}  // namespace crd::testing
