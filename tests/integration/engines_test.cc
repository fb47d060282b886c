// Containers of real engines, with everything of theirs in the test's directory: a podman, and a
// dockerd of our own. Their image is made of busybox.
#include <algorithm>
#include <filesystem>
#include <memory>
#include <optional>

#include "tests/integration/support/integration_test.h"
#include "tests/integration/support/oci_container.h"
#include "tests/integration/support/wait_until.h"

namespace crd::testing {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr const char* kProgram =
    "echo new >/changed; i=0; while :; do i=$((i+1)); echo $i >/data/count.new; mv /data/count.new "
    "/data/count; "
    "sleep 0.1; done";

class EnginesTest : public IntegrationTest, public ::testing::WithParamInterface<std::string> {
 protected:
  void SetUp() override {
    IntegrationTest::SetUp();
    fs::create_directories(data_);
    fs::create_directories(dir_ / "image/bin");
    fs::copy_file("/bin/busybox", dir_ / "image/bin/busybox");
    for (const char* name : {"sh", "sleep", "mv"}) {
      fs::create_symlink("busybox", dir_ / "image/bin/" + name);
    }
    Succeeds({"tar", "-C", dir_ / "image", "-cf", dir_ / "image.tar", "."});
    if (GetParam() == "docker") StartDocker();
    Succeeds(Engine({"import", dir_ / "image.tar", "localhost/crd-test"}));
    std::vector<std::string> run = {"run",       "--detach", "--name",   name_,
                                    "--network", "none",     "--volume", data_ + ":/data"};
    // A host without CAP_SYS_RESOURCE cannot give what podman asks for.
    if (GetParam() == "podman") {
      run.insert(run.end(), {"--ulimit", "nofile=1024:1024", "--ulimit", "nproc=1024:1024"});
    }
    run.insert(run.end(), {"localhost/crd-test", "/bin/sh", "-c", kProgram});
    Succeeds(Engine(run));
    ASSERT_TRUE(WaitUntil([&] { return Count() > 0; }));
  }
  void TearDown() override {
    RunProgram(reaper_, Engine({"rm", "--force", name_}));
    if (GetParam() == "podman") AwaitPodman();
    if (docker_) {
      SignalPid(docker_->pid(), SIGTERM);
      static_cast<void>(docker_->Wait(Within(kPatience)));
    }
    IntegrationTest::TearDown();
  }

  // Its mounts end with it: a dockerd that is killed leaves none behind.
  void StartDocker() {
    const std::string state = dir_ / "docker";
    docker_.emplace(
        reaper_,
        Launch{.argv = {"unshare", "--mount", "--propagation", "private", "dockerd", "--host",
                        Socket(), "--data-root", state + "/data", "--exec-root", state + "/exec",
                        "--pidfile", state + "/pid", "--storage-driver", "overlay2",
                        "--iptables=false", "--ip6tables=false", "--bridge", "none"},
               .out = {.path = dir_ / "docker.log"},
               .err = {.path = dir_ / "docker.log"}});
    ASSERT_TRUE(WaitUntil([&] { return RunProgram(reaper_, Engine({"info"})).exit == 0; }))
        << Slurp(dir_ / "docker.log");
  }
  // Once the container has ended a podman of its own cleans up, and mounts its storage for that.
  void AwaitPodman() {
    const std::string state = dir_ / "podman";
    EXPECT_TRUE(WaitUntil([&] {
      const auto all = fs::directory_iterator("/proc");
      return std::none_of(begin(all), end(all), [&](const fs::directory_entry& process) {
        return Slurp(process.path() / "cmdline").find(state) != std::string::npos;
      });
    }));
    if (Slurp("/proc/mounts").find(state + "/root/overlay ") == std::string::npos) return;
    RunProgram(reaper_, {"umount", state + "/root/overlay"});
  }
  std::string Socket() const { return "unix://" + (dir_ / "docker.sock"); }

  std::vector<std::string> Engine(const std::vector<std::string>& words) const {
    const std::string state = dir_ / "podman";
    std::vector<std::string> line = {"docker", "--host", Socket()};
    if (GetParam() == "podman") {
      line = {"podman",       "--root",           state + "/root", "--runroot",
              state + "/run", "--tmpdir",         state + "/tmp",  "--storage-driver",
              "overlay",      "--runtime",        "runc",          "--cgroup-manager",
              "cgroupfs",     "--events-backend", "none"};
    }
    line.insert(line.end(), words.begin(), words.end());
    return line;
  }
  void Succeeds(const std::vector<std::string>& line) {
    const Outcome outcome = RunProgram(reaper_, line);
    ASSERT_EQ(outcome.exit, 0) << ::testing::PrintToString(outcome);
  }
  // crd knows where docker usually keeps its runtime's state, not where this one does.
  Crctl::Words With(Crctl::Words words) const {
    if (GetParam() == "docker") {
      words.insert(words.end(), {"--root", dir_ / "docker/exec/runtime-runc/moby"});
    }
    return words;
  }
  std::string EngineSays() {
    return RunProgram(reaper_, Engine({"inspect", "--format", "{{.State.Running}}", name_})).Line();
  }
  long Count() const { return std::strtol(Slurp(data_ + "/count").c_str(), nullptr, 10); }
  bool Counts() const {
    const long before = Count();
    return WaitUntil([&] { return Count() > before + 1; });
  }

  const std::string data_ = dir_ / "data";
  const std::string name_ = "crd-test-" + GetParam() + "-" + std::to_string(::getpid());
  std::optional<Process> docker_;
};

TEST_P(EnginesTest, IsListedByTheNameThatItHasThere) {
  const auto list = crctl_.Json(With({"ps", "--runtime"}));
  bool found = false;
  for (const auto& one : list["containers"]) {
    if (one.value("name", "") != name_) continue;
    found = true;
    EXPECT_EQ(one.value("engine", ""), GetParam());
    EXPECT_EQ(one.value("status", ""), "running");
  }
  EXPECT_TRUE(found) << list.dump();
}

TEST_P(EnginesTest, IsCheckpointedAndRunsOn) {
  const Outcome made = crctl_(With({"checkpoint", name_, "--leave-running"}));
  ASSERT_EQ(made.exit, 0) << ::testing::PrintToString(made) << crd_.Log();
  EXPECT_TRUE(Counts());
  EXPECT_EQ(EngineSays(), "true");
  const Outcome shown = crctl_({"show", made.Line()});
  EXPECT_EQ(shown.exit, 0);
  EXPECT_THAT(shown.out, HasSubstr("/bin/sh -c"));
  EXPECT_EQ(crctl_({"verify", made.Line()}).exit, 0);
}

TEST_P(EnginesTest, ShowsWhatChangedInItsRoot) {
  const Outcome made = crctl_(With({"checkpoint", name_, "--leave-running", "--rootfs-diff"}));
  ASSERT_EQ(made.exit, 0) << ::testing::PrintToString(made) << crd_.Log();
  EXPECT_TRUE(Counts());
  const Outcome listed =
      RunProgram(reaper_, {"tar", "--zstd", "-tf", ImagesOf(made.Line()) + "/rootfs-diff.tar.zst"});
  ASSERT_EQ(listed.exit, 0) << ::testing::PrintToString(listed);
  EXPECT_THAT(listed.out, AllOf(HasSubstr("changed\n"), Not(HasSubstr("busybox"))));
}

TEST_P(EnginesTest, IsEndedOnlyByForce) {
  EXPECT_TRUE(Refused(crctl_(With({"checkpoint", name_})),
                      GetParam() + " takes down its root file system and its network"));
  EXPECT_TRUE(Counts());
  const Outcome forced = crctl_(With({"checkpoint", name_, "--force"}));
  ASSERT_EQ(forced.exit, 0) << ::testing::PrintToString(forced) << crd_.Log();
  EXPECT_TRUE(WaitUntil([&] { return EngineSays() == "false"; }));
  EXPECT_EQ(crctl_({"verify", forced.Line()}).exit, 0);
}

INSTANTIATE_TEST_SUITE_P(Engines, EnginesTest, ::testing::Values("podman", "docker"),
                         [](const auto& test) { return test.param; });

}  // namespace
}  // namespace crd::testing
