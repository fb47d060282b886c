// Containers with a user namespace: nobody in them is anybody on the host.
#include "tests/integration/support/oci_users.h"

#include <filesystem>
#include <string>
#include <vector>

#include <sys/stat.h>
#include <unistd.h>

#include "tests/integration/support/console_socket.h"
#include "tests/integration/support/oci_fixture.h"
#include "tests/integration/support/pty.h"

namespace crd::testing {
namespace {

using ::testing::HasSubstr;
namespace fs = std::filesystem;

class OciUsers : public OciFixture {
 protected:
  void SetUp() override {
    OciFixture::SetUp();
    ChownToUsersRoot(reaper_, *container_);
    OpenTheWay();
  }
  // A runtime sets a container up as root in there, who must get to what is mounted.
  void OpenTheWay() { fs::permissions(dir_.path(), fs::perms::owner_all | fs::perms::others_exec); }
  // Nobody but root of the host may get there: what a restore needs it is given.
  void BarTheWay() { fs::permissions(dir_.path(), fs::perms::owner_all); }

  static OciContainer::Change Mapped(const OciContainer::Change& change = nullptr) {
    return [change](nlohmann::json& config) {
      MapUsers(config);
      if (change) change(config);
    };
  }
  std::string Maps() {
    const std::string process = "/proc/" + std::to_string(container_->Pid());
    return Slurp(process + "/uid_map") + Slurp(process + "/gid_map");
  }
  std::string Inside(const std::string& script) {
    return container_->Runtime({"exec", container_->id(), "/bin/sh", "-c", script}).out;
  }
  static unsigned OwnerOf(const std::string& path) {
    struct stat status {};
    EXPECT_EQ(::stat(path.c_str(), &status), 0) << path;
    return status.st_uid;
  }
  void ExpectRefused(const std::string& what) {
    EXPECT_TRUE(Refused(crctl_(With({"checkpoint", container_->id()})), what));
    EXPECT_TRUE(container_->Counts());
  }
};

TEST_P(OciUsers, AreWhoTheyWere) {
  ASSERT_TRUE(container_->Run(Mapped([](nlohmann::json& config) {
    config["process"]["user"] = {{"uid", 0}, {"gid", 0}, {"additionalGids", {7}}};
  })));
  BarTheWay();
  const pid_t first = container_->Pid();
  const auto groups = [&] {
    return RunProgram(reaper_, {"grep", "-E", "^(Uid|Gid|Groups):",
                                "/proc/" + std::to_string(container_->Pid()) + "/status"})
        .out;
  };
  const std::string maps = Maps();
  const std::string who = groups();
  const std::vector<std::string> mounts = MountsOf(first);
  EXPECT_THAT(maps, HasSubstr(std::to_string(kUsersOthers)));
  Inside("echo kept >/dev/shm/kept; /bin/busybox chown 1000 /dev/shm/kept");
  ThereAndBack();
  EXPECT_TRUE(container_->Counts());
  EXPECT_EQ(container_->Status(), "running");
  EXPECT_EQ(Maps(), maps);
  EXPECT_EQ(groups(), who);
  EXPECT_EQ(MountsOf(container_->Pid()), mounts);
  EXPECT_EQ(OwnerOf(container_->data() + "/count"), kUsersRoot);
  EXPECT_EQ(Inside("cat /dev/shm/kept; /bin/busybox stat -c %u /dev/shm/kept"), "kept\n1000\n");
  // Its root has the power over what is its own that it had, and none over the host's.
  EXPECT_EQ(Inside("/bin/busybox hostname changed && /bin/busybox hostname"), "changed\n");
  EXPECT_EQ(Inside("/bin/busybox ip link set lo down && echo down"), "down\n");
  Inside("touch /data/new; /bin/busybox chown 1001 /data/new");
  EXPECT_EQ(OwnerOf(container_->data() + "/new"), kUsersOthers + 1);
}

TEST_P(OciUsers, ComeBackAgainAndAgain) {
  ASSERT_TRUE(container_->Run(Mapped(), "/dev/null"));
  const std::string maps = Maps();
  const std::string first = ThereAndBack();
  BarTheWay();
  const long count = container_->Count();
  const std::string checkpoint = CheckpointedContainer({"--leave-running"});
  EXPECT_TRUE(container_->Counts());
  EXPECT_EQ(container_->Runtime({"kill", container_->id(), "KILL"}).exit, 0);
  EXPECT_TRUE(WaitUntil([&] { return container_->Status() == "stopped"; }));
  EXPECT_THAT(crctl_({"wait", first}).Line(), HasSubstr("KILL"));
  Restored(checkpoint);
  EXPECT_TRUE(container_->Counts());
  EXPECT_GT(container_->Count(), count);
  EXPECT_EQ(Maps(), maps);
  EXPECT_EQ(container_->Runtime({"kill", container_->id(), "KILL"}).exit, 0);
  EXPECT_TRUE(WaitUntil([&] { return container_->Status() == "stopped"; }));
  EXPECT_EQ(container_->Runtime({"delete", container_->id()}).exit, 0);
  Restored(checkpoint);
  EXPECT_TRUE(container_->Counts());
  EXPECT_EQ(Maps(), maps);
  // Nobody else is let in: only the images' own directory is open, and none above it.
  EXPECT_EQ(fs::status(fs::path(ImagesOf(checkpoint)).parent_path()).permissions(),
            fs::perms::owner_all);
}

TEST_P(OciUsers, WriteOnToAFileThatIsRootsOfTheHost) {
  const std::string out = dir_ / "mine";
  Spill(out, "first\n");
  fs::permissions(out, fs::perms::owner_read | fs::perms::owner_write);
  ASSERT_TRUE(container_->Run(Mapped(), out));
  // crun has given it to root in there.
  ASSERT_EQ(::chown(out.c_str(), 0, 0), 0);
  BarTheWay();
  const std::string checkpoint = CheckpointedContainer();
  const std::string before = Slurp(out);
  Restored(checkpoint);
  EXPECT_TRUE(WaitUntil([&] { return Slurp(out).size() > before.size(); }));
  EXPECT_EQ(Slurp(out).substr(0, before.size()), before);
  EXPECT_EQ(OwnerOf(out), 0U);
  // And from there once more, wherever it is sent.
  const std::string log = dir_ / "log";
  Spill(log, "kept\n");
  Restored(CheckpointedContainer(), {"--log", log});
  EXPECT_TRUE(WaitUntil([&] { return Slurp(log).size() > 10; }));
  EXPECT_THAT(Slurp(log), ::testing::StartsWith("kept\n"));
  EXPECT_EQ(OwnerOf(log), 0U);
}

TEST_P(OciUsers, FindTheirOutputAsItWas) {
  const std::string out = dir_ / "mine";
  ASSERT_TRUE(container_->Run(Mapped(), out));
  ASSERT_EQ(::chown(out.c_str(), 0, 0), 0);
  fs::permissions(out, fs::perms::owner_read | fs::perms::owner_write);
  const std::string checkpoint = CheckpointedContainer();
  const std::string before = Slurp(out);
  Spill(out, before + "more");
  EXPECT_TRUE(Refused(crctl_({"restore", checkpoint}), out));
  Spill(out, before);
  Restored(checkpoint);
  EXPECT_TRUE(WaitUntil([&] { return Slurp(out).size() > before.size(); }));
}

TEST_P(OciUsers, WriteToTheLogWhenTheirPipeHasGone) {
  int ends[2];
  ASSERT_EQ(::pipe2(ends, O_CLOEXEC), 0);
  UniqueFd out(ends[0]);
  UniqueFd in(ends[1]);
  ASSERT_TRUE(container_->RunInto(in.ref(), Mapped()));
  BarTheWay();
  const std::string checkpoint = CheckpointedContainer();
  in.reset();
  out.reset();
  const std::string restored = Restored(checkpoint);
  const std::string log = crd_.state() + "/containers/" + restored + "/output.log";
  EXPECT_TRUE(WaitUntil([&] { return !Slurp(log).empty(); }));
  EXPECT_TRUE(container_->Counts());
}

TEST_P(OciUsers, WriteToTheCallersOwnOutput) {
  ASSERT_TRUE(container_->Run(Mapped()));
  BarTheWay();
  const std::string checkpoint = CheckpointedContainer();
  const std::string output = dir_ / "callers";
  Spill(output, "");
  fs::permissions(output, fs::perms::owner_read | fs::perms::owner_write);
  Process restore(reaper_, {.argv = crctl_.CommandLine({"restore", checkpoint, "--inherit-stdio"}),
                            .out = {.path = output},
                            .err = {.path = dir_ / "err"}});
  ASSERT_EQ(restore.Wait(Within(kPatience)), ExitStatus{.code = 0}) << Slurp(dir_ / "err");
  const std::string said = Slurp(output);
  EXPECT_TRUE(WaitUntil([&] { return Slurp(output).size() > said.size(); }));
  EXPECT_TRUE(container_->Counts());
}

TEST_P(OciUsers, HaveTheirConsole) {
  const ConsoleSocket socket(dir_ / "console");
  ASSERT_TRUE(container_->RunWithConsole(socket.path(), Mapped()));
  UniqueFd master = socket.Take();
  BarTheWay();
  const std::string checkpoint = CheckpointedContainer();
  master.reset();
  Restored(checkpoint, {"--console-socket", socket.path()});
  master = socket.Take();
  ASSERT_TRUE(master.valid());
  EXPECT_THAT(ReadUntil(master.ref(), "\n"), HasSubstr("\n"));
  EXPECT_TRUE(container_->Counts());
}

TEST_P(OciUsers, TakeTheirWritableLayerAlong) {
  const std::string rootfs = container_->bundle() + "/rootfs";
  const std::string base = dir_ / "base";
  ASSERT_EQ(RunProgram(reaper_, {"cp", "-a", rootfs, base}).exit, 0);
  ASSERT_TRUE(
      container_->Run(Mapped([](nlohmann::json& config) { config["root"]["readonly"] = false; })));
  Inside("echo mine >/mine; /bin/busybox chown 1002 /mine");
  const std::string checkpoint = CheckpointedContainer({"--rootfs-diff=" + base});
  fs::remove(rootfs + "/mine");
  Restored(checkpoint, {"--rootfs-diff"});
  EXPECT_EQ(OwnerOf(rootfs + "/mine"), kUsersOthers + 2);
  EXPECT_EQ(Inside("cat /mine; /bin/busybox stat -c %u /mine"), "mine\n1002\n");
}

TEST_P(OciUsers, GoIntoAnotherBundleOnlyAsTheyWere) {
  ASSERT_TRUE(container_->Run(Mapped()));
  const std::string checkpoint = CheckpointedContainer();
  const std::string bundle = dir_ / "elsewhere";
  ASSERT_EQ(RunProgram(reaper_, {"cp", "-a", container_->bundle(), bundle}).exit, 0);
  const auto config = nlohmann::json::parse(Slurp(bundle + "/config.json"));
  nlohmann::json other = config;
  other["linux"]["uidMappings"][0]["hostID"] = 2 * kUsersOthers;
  Spill(bundle + "/config.json", other.dump());
  EXPECT_TRUE(Refused(crctl_({"restore", checkpoint, "--bundle", bundle}), "maps other ids"));
  Spill(bundle + "/config.json", config.dump());
  BarTheWay();
  Restored(checkpoint, {"--bundle", bundle});
  EXPECT_TRUE(container_->Counts());
}

// What `runc spec` asks for where there is cgroup2 alone.
TEST_P(OciUsers, HaveTheirCgroupNamespace) {
  ASSERT_TRUE(container_->Run(Mapped([](nlohmann::json& config) {
    SetNamespace(config, "cgroup");
    MapNobody(config);
  })));
  BarTheWay();
  const std::vector<std::string> mounts = MountsOf(container_->Pid());
  const std::string cgroups = CgroupsOfProcess(container_->Pid());
  const std::string inside = Inside("cat /proc/1/cgroup; ls /sys/fs/cgroup");
  EXPECT_THAT(inside, HasSubstr(":/\n"));
  for (int round = 0; round < 2; ++round) {
    ThereAndBack();
    EXPECT_TRUE(container_->Counts());
    EXPECT_EQ(CgroupsOfProcess(container_->Pid()), cgroups);
    EXPECT_EQ(MountsOf(container_->Pid()), mounts);
    // The runtime gets in only if the namespace belongs to the user namespace.
    EXPECT_EQ(Inside("cat /proc/1/cgroup; ls /sys/fs/cgroup"), inside);
  }
}

TEST_P(OciUsers, AreRefusedBesideACgroupNamespaceThatCriuCannotMake) {
  ASSERT_TRUE(
      container_->Run(Mapped([](nlohmann::json& config) { SetNamespace(config, "cgroup"); })));
  ExpectRefused("in which user or group 65534 does not exist");
}

INSTANTIATE_TEST_SUITE_P(Runtimes, OciUsers, EveryRuntime(), NameOfRuntime);

}  // namespace
}  // namespace crd::testing
