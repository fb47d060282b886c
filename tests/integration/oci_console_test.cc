// Containers with `terminal: true`: their terminal comes back, and somebody has its other end.
#include <string>

#include <sys/ioctl.h>

#include "tests/integration/support/console_socket.h"
#include "tests/integration/support/oci_fixture.h"
#include "tests/integration/support/pty.h"

namespace crd::testing {
namespace {

using ::testing::HasSubstr;

constexpr const char* kAnswers =
    "i=0; (while :; do i=$((i+1)); echo $i >/data/count.new; mv /data/count.new /data/count; "
    "sleep 0.1; done) & while read line; do echo got-$line; done";

class OciConsole : public OciFixture {
 protected:
  void SetUp() override {
    OciFixture::SetUp();
    ASSERT_TRUE(container_->RunWithConsole(socket_.path(), [](nlohmann::json& config) {
      config["process"]["args"] = {"/bin/sh", "-c", kAnswers};
    }));
    master_ = socket_.Take();
    ASSERT_TRUE(Answers("before"));
  }
  // The program reads what is typed and prints what it is to.
  bool Answers(const std::string& word) {
    return WriteText(master_.ref(), word + "\n") &&
           ReadUntil(master_.ref(), "got-" + word).find("got-" + word) != std::string::npos;
  }
  // Nobody has the old terminal any more.
  std::string Checkpointed() {
    std::string checkpoint = CheckpointedContainer();
    master_.reset();
    return checkpoint;
  }

  const ConsoleSocket socket_{dir_ / "console"};
  UniqueFd master_;
};

TEST_P(OciConsole, IsHandedOverThroughASocket) {
  winsize size{};
  size.ws_row = 33;
  size.ws_col = 99;
  ASSERT_EQ(::ioctl(master_.get(), TIOCSWINSZ, &size), 0);
  const std::string checkpoint = Checkpointed();
  Restored(checkpoint, {"--console-socket", socket_.path()});
  master_ = socket_.Take();
  ASSERT_TRUE(master_.valid());
  EXPECT_TRUE(Answers("after"));
  EXPECT_TRUE(container_->Counts());
  EXPECT_EQ(container_->Status(), "running");
  winsize now{};
  EXPECT_EQ(::ioctl(master_.get(), TIOCGWINSZ, &now), 0);
  EXPECT_EQ(now.ws_row, 33);
  EXPECT_EQ(now.ws_col, 99);
}

TEST_P(OciConsole, ControlsTheContainerAsBefore) {
  const std::string checkpoint = Checkpointed();
  const std::string restored = Restored(checkpoint, {"--console-socket", socket_.path()});
  master_ = socket_.Take();
  ASSERT_TRUE(master_.valid());
  // Ends the shell that reads, which is the container's init.
  ASSERT_TRUE(WriteText(master_.ref(), "\4"));
  EXPECT_EQ(crctl_({"wait", restored}).Line(), "0");
  EXPECT_TRUE(WaitUntil([&] { return container_->Status() == "stopped"; }));
}

TEST_P(OciConsole, GoesToALogThatOutlivesCrd) {
  const std::string checkpoint = Checkpointed();
  const std::string log = dir_ / "log";
  Restored(checkpoint, {"--log", log});
  EXPECT_TRUE(container_->Counts());
  ASSERT_TRUE(RestartAfterKill9());
  // A terminal that nobody holds would hang it up.
  EXPECT_TRUE(container_->Counts());
  ASSERT_EQ(
      container_->Runtime({"exec", container_->id(), "/bin/sh", "-c", "echo through >/dev/console"})
          .exit,
      0);
  EXPECT_TRUE(WaitUntil([&] { return Slurp(log).find("through") != std::string::npos; }));
}

TEST_P(OciConsole, IsCheckpointedAgainAfterARestore) {
  Restored(Checkpointed(), {"--console-socket", socket_.path()});
  master_ = socket_.Take();
  ASSERT_TRUE(Answers("once"));
  Restored(Checkpointed(), {"--console-socket", socket_.path()});
  master_ = socket_.Take();
  EXPECT_TRUE(Answers("twice"));
}

TEST_P(OciConsole, IsRefusedWhereNobodyWouldTakeIt) {
  const std::string checkpoint = Checkpointed();
  EXPECT_TRUE(Refused(crctl_({"restore", checkpoint, "--console-socket", dir_ / "nobody"}),
                      dir_ / "nobody"));
  EXPECT_TRUE(Refused(crctl_({"restore", checkpoint, "--inherit-stdio"}), "console of its own"));
  EXPECT_EQ(container_->Status(), "stopped");
  Restored(checkpoint);
  EXPECT_TRUE(container_->Counts());
}

INSTANTIATE_TEST_SUITE_P(Runtimes, OciConsole, EveryRuntime(), NameOfRuntime);

class OciNoConsole : public OciFixture {};

TEST_P(OciNoConsole, TakesNoSocket) {
  ASSERT_TRUE(container_->Run());
  const std::string checkpoint = CheckpointedContainer();
  const ConsoleSocket socket(dir_ / "console");
  EXPECT_TRUE(Refused(crctl_({"restore", checkpoint, "--console-socket", socket.path()}),
                      "no container with a console"));
  Restored(checkpoint);
}

INSTANTIATE_TEST_SUITE_P(Runtimes, OciNoConsole, ::testing::Values(Flavour::kRunc), NameOfRuntime);

}  // namespace
}  // namespace crd::testing
