#pragma once

#include <csignal>
#include <functional>
#include <memory>
#include <string>

#include "tests/integration/support/integration_test.h"
#include "tests/integration/support/oci_container.h"

namespace crd::testing {

// Shell: files of all kinds for its tmpfs, and what is to be seen of them and of masked paths.
inline constexpr const char* kFillTmpfs =
    "mkdir /dev/shm/d && chmod 1711 /dev/shm/d && echo kept >/dev/shm/d/file && "
    "ln /dev/shm/d/file /dev/shm/same && ln -s d/file /dev/shm/link && mkfifo /dev/shm/fifo";
inline constexpr const char* kLookAtTmpfs =
    "cat /dev/shm/link /dev/shm/same && stat -c '%F %a %h %n' /dev/shm /dev/shm/* /dev/shm/d/file "
    "/dev/zero /proc/acpi && ls -l /dev && ! touch /sys/firmware/x";

// A container of each runtime, not run yet.
class OciFixture : public IntegrationTest, public ::testing::WithParamInterface<Flavour> {
 protected:
  void SetUp() override {
    IntegrationTest::SetUp();
    container_ = std::make_unique<OciContainer>(reaper_, dir_.path(), GetParam());
  }
  void TearDown() override {
    container_.reset();
    IntegrationTest::TearDown();
  }

  [[nodiscard]] Crctl::Words With(Crctl::Words words) const {
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
  // Checkpoints it and restores it as it was.
  std::string ThereAndBack() { return Restored(CheckpointedContainer()); }

  // The container as an engine describes it to the API, without its runtime's state.
  [[nodiscard]] v1::CheckpointRequest DescribedCheckpoint() const {
    v1::CheckpointRequest request;
    request.set_pid(container_->Pid());
    auto& description = *request.mutable_description();
    description.set_runtime(container_->runtime());
    description.set_id(container_->id());
    description.set_bundle(container_->bundle());
    return request;
  }
  [[nodiscard]] std::string StatePath() const {
    return container_->root() + "/" + container_->id() + "/" +
           (GetParam() == Flavour::kCrun ? "status" : "state.json");
  }

  // Lets crd die in the middle of a checkpoint, its CRIU having stopped, after `meanwhile`.
  void DieWhileCheckpointing(const std::function<void()>& meanwhile) {
    v1::CheckpointRequest request;
    request.set_container(container_->id());
    request.set_runtime_root(container_->root());
    auto call = Begin(request);
    const pid_t criu = AwaitCriu([&] { return Ready(call); });
    ASSERT_GT(criu, 0);
    SignalPid(criu, SIGSTOP);
    meanwhile();
    ASSERT_TRUE(RestartAfterKill9());
    static_cast<void>(call.get());
  }

  std::unique_ptr<OciContainer> container_;
};

inline auto EveryRuntime() {
  return ::testing::Values(Flavour::kRunc, Flavour::kCrun, Flavour::kRuncV2);
}
inline std::string NameOfRuntime(const ::testing::TestParamInfo<Flavour>& test) {
  return FlavourName(test.param);
}

}  // namespace crd::testing
