// Namespaces of containers: their own, the host's, and those that they have joined.
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include <unistd.h>

#include "tests/integration/support/oci_fixture.h"
#include "tests/integration/support/oci_users.h"

namespace crd::testing {
namespace {

using ::testing::HasSubstr;
namespace fs = std::filesystem;

// Names in config.json and in /proc.
struct Kind {
  const char* oci;
  const char* proc;
};

class OciNamespaces : public OciFixture {
 protected:
  static std::string Of(pid_t pid, const std::string& kind) {
    std::error_code error;
    return fs::read_symlink("/proc/" + std::to_string(pid) + "/ns/" + kind, error).string();
  }
  std::string Inside(const std::vector<std::string>& words) {
    std::vector<std::string> line = {"exec", container_->id()};
    line.insert(line.end(), words.begin(), words.end());
    return container_->Runtime(line).out;
  }
};

TEST_P(OciNamespaces, OfItsOwnAreAsTheyWere) {
  ASSERT_TRUE(container_->Run([](nlohmann::json& config) {
    SetNamespace(config, "cgroup", "");
    config["hostname"] = "of-its-own";
    config["linux"]["sysctl"] = {{"kernel.msgmax", "4097"}};
  }));
  const auto look = [&] {
    return Inside({"/bin/busybox", "hostname"}) +
           Inside({"/bin/cat", "/proc/sys/kernel/msgmax", "/proc/1/cgroup"});
  };
  const std::string before = look();
  EXPECT_THAT(before, HasSubstr("of-its-own\n4097\n"));
  ThereAndBack();
  EXPECT_TRUE(container_->Counts());
  EXPECT_EQ(look(), before);
  for (const char* kind : {"pid", "net", "ipc", "uts", "mnt", "cgroup"}) {
    EXPECT_NE(Of(container_->Pid(), kind), Of(::getpid(), kind)) << kind;
  }
}

TEST_P(OciNamespaces, OfTheHostAreTheHosts) {
  ASSERT_TRUE(container_->Run([](nlohmann::json& config) {
    config["linux"]["namespaces"] = {{{"type", "mount"}}};
    config.erase("hostname");
    LeaveOutSys(config);
  }));
  const pid_t before = container_->Pid();
  ThereAndBack();
  EXPECT_TRUE(container_->Counts());
  EXPECT_EQ(container_->Pid(), before);
  for (const char* kind : {"pid", "net", "ipc", "uts", "cgroup", "user"}) {
    EXPECT_EQ(Of(before, kind), Of(crd_.pid(), kind)) << kind;
  }
}

class OciJoined : public OciNamespaces {
 protected:
  // A process in namespaces of its own that lives on, as the pause container of a pod.
  void MakePod() {
    // Its loopback is up as a pod's is: CRIU needs it where it runs, unless it has been told of the
    // kernel (kernel_cache.h), which crd shares with those of other tests.
    // In the root cgroups: a container's must be beneath those of the namespace that it joins. The
    // first process in its pid namespace reaps what comes to it.
    const std::string script =
        "for d in /sys/fs/cgroup /sys/fs/cgroup/*; do "
        "[ ! -e $d/cgroup.procs ] || echo $$ >$d/cgroup.procs; done; "
        "exec unshare --ipc --uts --net --cgroup --pid --fork --kill-child "
        "sh -c 'ip link set lo up; while :; do sleep 1; done'";
    pod_ = std::make_unique<Process>(reaper_, Launch{.argv = {"sh", "-c", script}});
    // The child is the one that is in the pid namespace.
    const std::string children = "/proc/" + std::to_string(pod_->pid()) + "/task/" +
                                 std::to_string(pod_->pid()) + "/children";
    ASSERT_TRUE(WaitUntil([&] {
      pause_ = static_cast<pid_t>(std::atol(Slurp(children).c_str()));
      return pause_ > 0 && Of(pause_, "pid") != Of(::getpid(), "pid");
    }));
  }
  void TearDown() override {
    // Before the namespace in which it is a process.
    if (container_) container_->Runtime({"delete", "--force", container_->id()});
    pod_.reset();
    OciNamespaces::TearDown();
  }
  [[nodiscard]] std::string PathOf(const std::string& kind) const {
    return "/proc/" + std::to_string(pause_) + "/ns/" + kind;
  }

  std::unique_ptr<Process> pod_;
  pid_t pause_ = 0;
};

TEST_P(OciJoined, AreJoinedAgain) {
  MakePod();
  const std::vector<Kind> kinds = {
      {"ipc", "ipc"}, {"uts", "uts"}, {"network", "net"}, {"pid", "pid"}, {"cgroup", "cgroup"}};
  ASSERT_TRUE(container_->Run([&](nlohmann::json& config) {
    for (const Kind& kind : kinds) SetNamespace(config, kind.oci, PathOf(kind.proc));
    config.erase("hostname");
  }));
  const std::string checkpoint = CheckpointedContainer();
  EXPECT_TRUE(pod_->Runs());
  Restored(checkpoint);
  EXPECT_TRUE(container_->Counts());
  EXPECT_EQ(container_->Status(), "running");
  for (const Kind& kind : kinds) {
    EXPECT_EQ(Of(container_->Pid(), kind.proc), Of(pause_, kind.proc)) << kind.oci;
  }
  const Outcome exec = container_->Runtime({"exec", container_->id(), "/bin/cat", "/data/count"});
  EXPECT_EQ(exec.exit, 0) << ::testing::PrintToString(exec);
}

// None of them belongs to the container's user namespace, in which nobody may enter them.
TEST_P(OciJoined, AreJoinedAgainBesideAUserNamespace) {
  MakePod();
  ChownToUsersRoot(reaper_, *container_);
  fs::permissions(dir_.path(), fs::perms::owner_all | fs::perms::others_exec);
  const std::vector<Kind> kinds = {
      {"ipc", "ipc"}, {"uts", "uts"}, {"network", "net"}, {"cgroup", "cgroup"}};
  ASSERT_TRUE(container_->Run([&](nlohmann::json& config) {
    for (const Kind& kind : kinds) SetNamespace(config, kind.oci, PathOf(kind.proc));
    MapUsers(config);
    config.erase("hostname");
    LeaveOutSys(config);
  }));
  for (int round = 0; round < 2; ++round) {
    ThereAndBack();
    EXPECT_TRUE(pod_->Runs());
    EXPECT_TRUE(container_->Counts());
    EXPECT_EQ(container_->Status(), "running");
    for (const Kind& kind : kinds) {
      EXPECT_EQ(Of(container_->Pid(), kind.proc), Of(pause_, kind.proc)) << kind.oci;
    }
    for (const char* kind : {"user", "pid", "mnt"}) {
      EXPECT_NE(Of(container_->Pid(), kind), Of(pause_, kind)) << kind;
    }
  }
}

TEST_P(OciJoined, OfPidsAreRefusedBesideAUserNamespace) {
  MakePod();
  ChownToUsersRoot(reaper_, *container_);
  fs::permissions(dir_.path(), fs::perms::owner_all | fs::perms::others_exec);
  ASSERT_TRUE(container_->Run([&](nlohmann::json& config) {
    SetNamespace(config, "pid", PathOf("pid"));
    MapUsers(config);
    // Nor may anybody mount a proc of these pids.
    config["mounts"][0] = {
        {"destination", "/proc"}, {"type", "bind"}, {"source", "/proc"}, {"options", {"rbind"}}};
    config["linux"]["maskedPaths"] = nlohmann::json::array();
    config["linux"]["readonlyPaths"] = nlohmann::json::array();
  }));
  EXPECT_TRUE(Refused(crctl_(With({"checkpoint", container_->id()})),
                      "has a user namespace, and a pid namespace that it joined by a path"));
  EXPECT_TRUE(container_->Counts());
}

TEST_P(OciJoined, MustStillBeThere) {
  MakePod();
  ASSERT_TRUE(
      container_->Run([&](nlohmann::json& config) { SetNamespace(config, "ipc", PathOf("ipc")); }));
  const std::string checkpoint = CheckpointedContainer();
  const std::string path = PathOf("ipc");
  pod_.reset();
  ASSERT_TRUE(WaitUntil([&] { return !fs::exists(path); }));
  EXPECT_TRUE(Refused(crctl_({"restore", checkpoint}), path));
  EXPECT_EQ(container_->Status(), "stopped");
}

INSTANTIATE_TEST_SUITE_P(Runtimes, OciNamespaces, EveryRuntime(), NameOfRuntime);
INSTANTIATE_TEST_SUITE_P(Runtimes, OciJoined, EveryRuntime(), NameOfRuntime);

}  // namespace
}  // namespace crd::testing
