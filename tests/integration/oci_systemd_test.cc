// Containers whose cgroups systemd makes and removes. Runs beside a systemd (systemd_world.sh) on a
// host of cgroup2 alone.
#include <filesystem>
#include <set>
#include <sstream>
#include <string>

#include "tests/integration/support/oci_fixture.h"

namespace crd::testing {
namespace {

using ::testing::HasSubstr;
namespace fs = std::filesystem;

class OciSystemd : public OciFixture {
 protected:
  void SetUp() override {
    OciFixture::SetUp();
    container_->LetSystemdMakeCgroups("system.slice");
    ASSERT_TRUE(container_->Run([](nlohmann::json& config) {
      auto& linux = config["linux"];
      linux["resources"] = {{"hugepageLimits", {{{"pageSize", "2MB"}, {"limit", 4194304}}}}};
      SetNamespace(config, "cgroup");
      config["annotations"] = {{"org.systemd.property.TimeoutStopUSec", "uint64 7000000"}};
    }));
    // What somebody may change while it runs.
    ASSERT_EQ(Systemctl({"set-property", "--runtime", container_->ScopeName(), "TasksMax=77",
                         "MemoryMax=123456789"})
                  .exit,
              0);
  }

  Outcome Systemctl(const Crctl::Words& words) {
    Crctl::Words line = {"systemctl"};
    line.insert(line.end(), words.begin(), words.end());
    return RunProgram(reaper_, line);
  }
  std::string Scope() {
    return Systemctl({"show", container_->ScopeName(), "-p",
                      "Id,Description,Slice,Delegate,TasksMax,MemoryMax,MemoryAccounting,"
                      "TimeoutStopUSec,DefaultDependencies,ActiveState,ControlGroup"})
        .out;
  }
  bool ScopeIsActive() { return Systemctl({"is-active", container_->ScopeName()}).exit == 0; }
  std::string Cgroup() { return CgroupsOfProcess(container_->Pid()); }
  static std::multiset<std::string> CommandsIn(const std::string& cgroup) {
    std::multiset<std::string> commands;
    std::istringstream pids(Slurp(cgroup + "/cgroup.procs"));
    for (std::string pid; pids >> pid;) {
      const std::string name = Slurp("/proc/" + pid + "/comm");
      commands.insert(name.substr(0, name.find('\n')));
    }
    return commands;
  }
  std::string HugePages() { return Slurp(container_->CgroupDirectory() + "/hugetlb.2MB.max"); }
};

TEST_P(OciSystemd, GetTheirScopeBack) {
  const std::string scope = Scope();
  const std::string cgroup = Cgroup();
  EXPECT_THAT(scope, HasSubstr("TasksMax=77"));
  EXPECT_THAT(scope, HasSubstr("TimeoutStopUSec=7s"));
  EXPECT_EQ(HugePages(), "4194304\n");
  for (int round = 0; round < 2; ++round) {
    const std::string directory = container_->CgroupDirectory();
    const std::string checkpoint = CheckpointedContainer();
    EXPECT_TRUE(WaitUntil([&] { return !ScopeIsActive() && !fs::exists(directory); }));
    EXPECT_EQ(crctl_({"check", checkpoint}).exit, 0);
    Restored(checkpoint);
    EXPECT_EQ(container_->Status(), "running");
    EXPECT_TRUE(container_->Counts());
    EXPECT_EQ(Scope(), scope);
    EXPECT_EQ(Cgroup(), cgroup);
    EXPECT_EQ(HugePages(), "4194304\n");
    // What kept it until the container was there has gone.
    EXPECT_EQ(CommandsIn(directory).count("cat"), 0U);
    EXPECT_EQ(CommandsIn(directory).count("sh"), 1U);
  }
  // Systemd may not have noticed yet that the old one has nobody in it.
  ThereAndBack();
  EXPECT_TRUE(container_->Counts());
  EXPECT_EQ(container_->Runtime({"exec", container_->id(), "/bin/true"}).exit, 0);
  EXPECT_EQ(container_->Runtime({"kill", container_->id(), "KILL"}).exit, 0);
  EXPECT_TRUE(WaitUntil([&] { return !ScopeIsActive(); }));
  EXPECT_EQ(container_->Runtime({"delete", container_->id()}).exit, 0);
}

TEST_P(OciSystemd, GetTheirScopeBackWhereNobodyTellsTheirState) {
  const std::string scope = Scope();
  const auto made = api_->Checkpoint(DescribedCheckpoint());
  ASSERT_TRUE(made.ok()) << made.error.message();
  EXPECT_TRUE(WaitUntil([&] { return !ScopeIsActive(); }));
  const std::string restored = Restored(made->id());
  EXPECT_TRUE(container_->Counts());
  EXPECT_EQ(Scope(), scope);
  EXPECT_EQ(crctl_({"kill", restored, "-s", "KILL"}).exit, 0);
  EXPECT_TRUE(WaitUntil([&] { return !ScopeIsActive(); }));
}

TEST_P(OciSystemd, GetAnotherScopeElsewhere) {
  const std::string checkpoint = CheckpointedContainer();
  EXPECT_TRUE(Refused(crctl_({"restore", checkpoint, "--cgroup-parent", "/crd-test"}), "a slice"));
  const std::string other = container_->id() + "-other";
  Restored(checkpoint, {"--name", other, "--cgroup-parent", "/crdtest.slice"});
  const std::string shown =
      Systemctl({"show", other + ".scope", "-p", "Slice,ActiveState,TasksMax"}).out;
  EXPECT_THAT(shown, HasSubstr("Slice=crdtest.slice"));
  EXPECT_THAT(shown, HasSubstr("ActiveState=active"));
  EXPECT_THAT(shown, HasSubstr("TasksMax=77"));
  EXPECT_TRUE(container_->Counts());
  // Its runtime knows which unit that is.
  EXPECT_EQ(container_->Runtime({"exec", other, "/bin/true"}).exit, 0);
  EXPECT_EQ(container_->Runtime({"delete", "--force", other}).exit, 0);
  EXPECT_TRUE(WaitUntil([&] { return Systemctl({"is-active", other + ".scope"}).exit != 0; }));
}

TEST_P(OciSystemd, LeaveNoScopeBehindWhenTheRestoreFails) {
  const std::string checkpoint = CheckpointedContainer();
  EXPECT_TRUE(WaitUntil([&] { return !ScopeIsActive(); }));
  // Found out by CRIU, when all is made.
  const std::string program = container_->bundle() + "/rootfs/bin/busybox";
  fs::rename(program, program + ".away");
  Spill(program, "another");
  EXPECT_TRUE(Refused(crctl_({"restore", checkpoint}), "busybox"));
  EXPECT_TRUE(WaitUntil([&] { return !ScopeIsActive(); }));
  EXPECT_EQ(container_->Status(), "stopped");
  fs::rename(program + ".away", program);
  Restored(checkpoint);
  EXPECT_TRUE(container_->Counts());
}

TEST_P(OciSystemd, AreRefusedWhileAnotherHasTheirScope) {
  const std::string checkpoint = CheckpointedContainer();
  EXPECT_TRUE(WaitUntil([&] { return !ScopeIsActive(); }));
  const Process other(reaper_,
                      Launch{.argv = {"systemd-run", "--scope", "--slice=other.slice",
                                      "--unit=" + container_->ScopeName(), "sleep", "1000"}});
  ASSERT_TRUE(WaitUntil([&] { return ScopeIsActive(); }));
  EXPECT_TRUE(Refused(crctl_({"restore", checkpoint}), container_->ScopeName()));
  EXPECT_TRUE(ScopeIsActive());
  EXPECT_EQ(container_->Status(), "stopped");
}

INSTANTIATE_TEST_SUITE_P(Runtimes, OciSystemd, ::testing::Values(Flavour::kRunc, Flavour::kCrun),
                         NameOfRuntime);

}  // namespace
}  // namespace crd::testing
