// Processes that were started in a container from outside, and containers that an engine describes.
#include <algorithm>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include <unistd.h>

#include "daemon/base/proc.h"
#include "tests/integration/support/oci_fixture.h"

namespace crd::testing {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

class OciExec : public OciFixture {
 protected:
  void Exec() {
    ASSERT_EQ(container_->Runtime({"exec", "--detach", container_->id(), "/bin/sleep", "997"}).exit,
              0);
    // The runtime returns before what it started has become its program.
    ASSERT_TRUE(WaitUntil([&] { return Processes().find("997") != std::string::npos; }))
        << Processes();
  }
  // Command lines of all that is in the container.
  std::string Processes() {
    std::string all;
    const auto mounts = [](pid_t pid) {
      std::error_code error;
      return std::filesystem::read_symlink("/proc/" + std::to_string(pid) + "/ns/mnt", error);
    };
    const auto own = mounts(container_->Pid());
    const auto pids = proc::ListProcesses();
    for (const pid_t pid : *pids) {
      if (mounts(pid) != own) continue;
      std::string line = Slurp("/proc/" + std::to_string(pid) + "/cmdline");
      std::replace(line.begin(), line.end(), '\0', ' ');
      all += line + "\n";
    }
    return all;
  }
};

TEST_P(OciExec, IsEndedWhereThatIsAskedFor) {
  ASSERT_TRUE(container_->Run());
  Exec();
  EXPECT_TRUE(Refused(crctl_(With({"checkpoint", container_->id()})), "/bin/sleep 997"));
  EXPECT_EQ(crctl_(With({"check", container_->id(), "--kill-exec"})).exit, 0);
  EXPECT_THAT(Processes(), HasSubstr("997"));
  const std::string checkpoint = CheckpointedContainer({"--kill-exec"});
  EXPECT_EQ(container_->Status(), "stopped");
  Restored(checkpoint);
  EXPECT_TRUE(container_->Counts());
  EXPECT_THAT(Processes(), Not(HasSubstr("997")));
}

TEST_P(OciExec, IsLeftAloneWhenSomethingElseIsInTheWay) {
  ASSERT_TRUE(container_->Run());
  Exec();
  EXPECT_TRUE(Refused(crctl_(With({"checkpoint", container_->id(), "--kill-exec", "--link-remap"})),
                      "deleted"));
  EXPECT_THAT(Processes(), HasSubstr("997"));
  EXPECT_TRUE(container_->Counts());
}

TEST_P(OciExec, IsFoundInAContainerWithTheHostsPids) {
  ASSERT_TRUE(container_->Run([](nlohmann::json& config) {
    auto& namespaces = config["linux"]["namespaces"];
    namespaces.erase(0);  // "pid"
  }));
  Exec();
  EXPECT_TRUE(Refused(crctl_(With({"checkpoint", container_->id()})), "/bin/sleep 997"));
  Restored(CheckpointedContainer({"--kill-exec"}));
  EXPECT_TRUE(container_->Counts());
}

// The API's own description --------------------------------------------------------------------

class OciDescribed : public OciFixture {
 protected:
  v1::CheckpointRequest Described() {
    v1::CheckpointRequest request = DescribedCheckpoint();
    auto& description = *request.mutable_description();
    description.set_rootfs(container_->bundle() + "/rootfs");
    description.set_state_path(StatePath());
    return request;
  }
};

TEST_P(OciDescribed, NeedsNoRuntimesDirectory) {
  ASSERT_TRUE(container_->Run());
  const auto made = api_->Checkpoint(Described());
  ASSERT_TRUE(made.ok()) << made.error.message();
  EXPECT_EQ(container_->Status(), "stopped");
  Restored(made->id());
  EXPECT_EQ(container_->Status(), "running");
  EXPECT_TRUE(container_->Counts());
}

TEST_P(OciDescribed, NeedsNoState) {
  ASSERT_TRUE(container_->Run());
  v1::CheckpointRequest request = Described();
  request.mutable_description()->clear_state_path();
  const auto made = api_->Checkpoint(request);
  ASSERT_TRUE(made.ok()) << made.error.message();
  const std::string restored = Restored(made->id());
  EXPECT_TRUE(container_->Counts());
  // That is between the engine and its runtime.
  EXPECT_EQ(container_->Status(), "stopped");
  EXPECT_EQ(crctl_({"kill", restored, "-s", "KILL"}).exit, 0);
  EXPECT_THAT(crctl_({"wait", restored}).out, HasSubstr("KILL"));
}

TEST_P(OciDescribed, IsBelievedInNothingThatCanBeSeen) {
  ASSERT_TRUE(container_->Run());
  using Change = std::function<void(v1::ContainerDescription&)>;
  const std::vector<Change> lies = {
      [](auto& it) { it.set_id("../x"); },
      [](auto& it) { it.set_id(""); },
      [](auto& it) { it.set_runtime("kata"); },
      [](auto& it) { it.set_bundle("relative"); },
      [&](auto& it) { it.set_bundle(container_->bundle() + "/../bundle"); },
      [](auto& it) { it.set_rootfs("/"); },
      [](auto& it) { it.set_state_path("/etc/passwd"); },
      [&](auto& it) { it.set_state_path(container_->bundle() + "/config.json"); },
      [](auto& it) { it.set_bundle(std::string("/a\0b", 4)); },
      [](auto& it) { it.set_bundle("/" + std::string(5000, 'x')); },
  };
  for (const Change& lie : lies) {
    v1::CheckpointRequest request = Described();
    lie(*request.mutable_description());
    const auto refused = api_->Checkpoint(request);
    EXPECT_FALSE(refused.ok()) << request.DebugString();
    EXPECT_NE(refused.error.message(), "");
  }
  v1::CheckpointRequest other = Described();
  other.set_pid(::getpid());
  EXPECT_THAT(api_->Checkpoint(other), FailsBecause("DESCRIPTION_WRONG"));
  EXPECT_TRUE(container_->Counts());
  EXPECT_EQ(container_->Status(), "running");
}

INSTANTIATE_TEST_SUITE_P(Runtimes, OciExec, EveryRuntime(), NameOfRuntime);
INSTANTIATE_TEST_SUITE_P(Runtimes, OciDescribed, ::testing::Values(Flavour::kRunc, Flavour::kCrun),
                         NameOfRuntime);

}  // namespace
}  // namespace crd::testing
