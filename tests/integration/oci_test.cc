// Containers of real runtimes: found, dumped, restored, and still their runtime's.
#include <filesystem>
#include <string>

#include "tests/integration/support/oci_fixture.h"

namespace crd::testing {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

class OciTest : public OciFixture {};

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

// What is in it is saved; what masks a path stays empty and read-only.
TEST_P(OciTest, KeepsWhatIsInItsTmpfs) {
  ASSERT_TRUE(container_->Run());
  const Crctl::Words look = {"exec", container_->id(), "/bin/sh", "-c", kLookAtTmpfs};
  const Outcome filled =
      container_->Runtime({"exec", container_->id(), "/bin/sh", "-c", kFillTmpfs});
  ASSERT_EQ(filled.exit, 0) << ::testing::PrintToString(filled);
  const Outcome before = container_->Runtime(look);
  ASSERT_EQ(before.exit, 0) << ::testing::PrintToString(before);
  EXPECT_THAT(before.out, AllOf(HasSubstr("kept"), HasSubstr("fifo 644 1 /dev/shm/fifo")));
  Restored(CheckpointedContainer());
  const Outcome after = container_->Runtime(look);
  EXPECT_EQ(after.exit, 0) << ::testing::PrintToString(after);
  EXPECT_EQ(after.out, before.out);
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
    EXPECT_EQ(one.value("runtime", ""), container_->runtime());
  }
  EXPECT_TRUE(found);
  const std::string prefix = container_->id().substr(0, container_->id().size() - 2);
  const Outcome check = crctl_(With({"check", prefix}));
  EXPECT_EQ(check.exit, 0) << ::testing::PrintToString(check);
}

TEST_P(OciTest, KeepsItsLoopbackInANetworkOfItsOwn) {
  const auto has_loopback = [&] {
    const std::string routes = "/proc/" + std::to_string(container_->Pid()) + "/net/fib_trie";
    return Slurp(routes).find("127.0.0.1") != std::string::npos;
  };
  ASSERT_TRUE(container_->Run());
  const bool before = has_loopback();
  Restored(CheckpointedContainer());
  EXPECT_EQ(has_loopback(), before);
}

TEST_P(OciTest, ComesBackIntoTheNetworkThatItJoined) {
  const std::string name = container_->id();
  const std::string path = "/run/netns/" + name;
  ASSERT_EQ(RunProgram(reaper_, {"ip", "netns", "add", name}).exit, 0);
  ASSERT_TRUE(container_->Run([&](nlohmann::json& config) {
    for (auto& one : config["linux"]["namespaces"]) {
      if (one["type"] == "network") one["path"] = path;
    }
  }));
  const auto network = [&] {
    const std::string link = "/proc/" + std::to_string(container_->Pid()) + "/ns/net";
    return std::filesystem::read_symlink(link).string();
  };
  const std::string before = network();
  const std::string checkpoint = CheckpointedContainer();
  Restored(checkpoint);
  EXPECT_TRUE(container_->Counts());
  EXPECT_EQ(network(), before);
  ASSERT_EQ(container_->Runtime({"kill", container_->id(), "KILL"}).exit, 0);
  EXPECT_TRUE(WaitUntil([&] { return container_->Status() == "stopped"; }));
  ASSERT_EQ(RunProgram(reaper_, {"ip", "netns", "delete", name}).exit, 0);
  Spill(path, "");
  EXPECT_TRUE(Refused(crctl_({"restore", checkpoint}), path));
  std::filesystem::remove(path);
}

TEST_P(OciTest, KeepsLimitsFiltersAndPipesOfSeveralProcesses) {
  ASSERT_TRUE(container_->Run([](nlohmann::json& config) {
    config["process"]["args"] = {
        "/bin/sh", "-c",
        "i=0; while :; do i=$((i+1)); echo $i; sleep 0.1; done | while read n; do echo $n "
        ">/data/count.new; mv /data/count.new /data/count; done"};
    config["process"]["rlimits"] = {{{"type", "RLIMIT_CORE"}, {"soft", 0}, {"hard", 4096}}};
    config["linux"]["seccomp"] = {
        {"defaultAction", "SCMP_ACT_ALLOW"},
        {"architectures", {"SCMP_ARCH_X86_64"}},
        {"syscalls", {{{"names", {"reboot"}}, {"action", "SCMP_ACT_ERRNO"}}}}};
  }));
  const auto lines = [&](const char* file, const char* word) {
    const std::string text = Slurp("/proc/" + std::to_string(container_->Pid()) + "/" + file);
    const std::size_t at = text.find(word);
    return at == std::string::npos ? "" : text.substr(at, text.find('\n', at) - at);
  };
  const std::string filter = lines("status", "Seccomp:");
  const std::string limit = lines("limits", "Max core file size");
  EXPECT_THAT(filter, HasSubstr("2"));
  Restored(CheckpointedContainer());
  EXPECT_TRUE(container_->Counts());
  EXPECT_EQ(lines("status", "Seccomp:"), filter);
  EXPECT_EQ(lines("limits", "Max core file size"), limit);
}

TEST_P(OciTest, IsThawedAtTheNextStartWhenCrdAndItsCriuDie) {
  ASSERT_TRUE(container_->Run());
  // What a crd leaves that dies right after it has frozen the container.
  ASSERT_NO_FATAL_FAILURE(DieWhileCheckpointing([&] { container_->Freeze(); }));
  EXPECT_EQ(container_->Status(), "running");
  EXPECT_TRUE(container_->Counts());
  Restored(CheckpointedContainer());
  EXPECT_TRUE(container_->Counts());
}

TEST_P(OciTest, RefusesARestoreIntoACgroupWhereSomebodyIs) {
  ASSERT_TRUE(container_->Run());
  const std::string procs = container_->CgroupDirectory() + "/cgroup.procs";
  const std::string checkpoint = CheckpointedContainer();
  {
    const Process somebody(reaper_, {.argv = {"sleep", "600"}});
    WriteControl(procs, std::to_string(somebody.pid()));
    ASSERT_THAT(Slurp(procs), HasSubstr(std::to_string(somebody.pid())));
    EXPECT_TRUE(Refused(crctl_({"restore", checkpoint}), std::to_string(somebody.pid())));
    EXPECT_TRUE(somebody.Runs());
  }
  EXPECT_TRUE(WaitUntil([&] { return Slurp(procs).empty(); }));
  Restored(checkpoint);
  EXPECT_TRUE(container_->Counts());
}

TEST_P(OciTest, NamesTheFileOfItsRootThatChanged) {
  ASSERT_TRUE(container_->Run());
  const std::string checkpoint = CheckpointedContainer();
  const std::string program = container_->bundle() + "/rootfs/bin/busybox";
  const auto mounts = Mounts();
  std::filesystem::rename(program, dir_ / "busybox");
  Spill(program, "another");
  EXPECT_TRUE(Refused(crctl_({"restore", checkpoint}), "bin/busybox"));
  EXPECT_EQ(container_->Status(), "stopped");
  EXPECT_EQ(Mounts(), mounts);
  std::filesystem::remove(program);
  std::filesystem::rename(dir_ / "busybox", program);
  Restored(checkpoint);
  EXPECT_TRUE(container_->Counts());
}

TEST_P(OciTest, RefusesHostileBundles) {
  ASSERT_TRUE(container_->Run());
  const std::string file = container_->bundle() + "/config.json";
  const std::string good = Slurp(file);
  auto config = nlohmann::json::parse(good);
  for (int i = 0; i < 100000; ++i) config["mounts"].push_back({{"destination", "/x"}});
  for (const std::string& bad : {std::string("{ half"), std::string(1000000, '['), config.dump()}) {
    Spill(file, bad);
    EXPECT_TRUE(Refused(crctl_(With({"checkpoint", container_->id()})), "config.json"));
  }
  Spill(file, good);
  EXPECT_TRUE(container_->Counts());
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

TEST_P(OciTest, RefusesNamesForDeletedFiles) {
  ASSERT_TRUE(container_->Run());
  EXPECT_TRUE(
      Refused(crctl_(With({"checkpoint", container_->id(), "--link-remap"})), "deleted files"));
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

TEST_P(OciTest, ComesBackWithItsLimitsWhenItsRuntimeHasForgottenIt) {
  ASSERT_TRUE(container_->Run([](nlohmann::json& config) {
    if (GetParam() == Flavour::kRuncV2) return;
    config["linux"]["resources"]["pids"] = {{"limit", 77}};
  }));
  const pid_t before = container_->Pid();
  const auto limits = LimitsOf(before);
  const auto mounts = MountsOf(before);
  const std::string checkpoint = CheckpointedContainer();
  ASSERT_EQ(container_->Runtime({"delete", container_->id()}).exit, 0);
  EXPECT_EQ(container_->Status(), "");
  const Outcome restored = crctl_({"restore", checkpoint});
  EXPECT_EQ(restored.exit, 0) << ::testing::PrintToString(restored);
  EXPECT_EQ(container_->Status(), "running");
  EXPECT_TRUE(container_->Counts());
  EXPECT_EQ(LimitsOf(container_->Pid()), limits);
  EXPECT_EQ(MountsOf(container_->Pid()), mounts);
  const Outcome exec = container_->Runtime({"exec", container_->id(), "/bin/cat", "/data/count"});
  EXPECT_EQ(exec.exit, 0) << ::testing::PrintToString(exec);
}

INSTANTIATE_TEST_SUITE_P(Runtimes, OciTest, EveryRuntime(), NameOfRuntime);

}  // namespace
}  // namespace crd::testing
