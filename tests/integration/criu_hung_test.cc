// An operation whose CRIU does not come to its end: deadlines, clients that leave, Ctrl-C, and a
// crd that is killed meanwhile.
#include <csignal>
#include <memory>
#include <string>

#include "tests/integration/support/stopping_criu.h"

namespace crd::testing {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;

class HungCriu : public WithStoppingCriu {
 protected:
  // Asks for it through crctl; returns once CRIU has stopped, which is then `criu_`.
  std::unique_ptr<Process> Start(const Crctl::Words& words) {
    auto client = crctl_.Start(
        words, {.argv = {}, .out = {.path = dir_ / "out"}, .err = {.path = dir_ / "err"}});
    criu_ = AwaitStoppedCriu([&] { return !client->Runs(); });
    return client;
  }
  [[nodiscard]] bool Said(const std::string& text) const {
    return WaitUntil([&] { return Slurp(dir_ / "err").find(text) != std::string::npos; });
  }
  [[nodiscard]] bool Logged(const std::string& text) const {
    return WaitUntil([&] { return crd_.Log().find(text) != std::string::npos; });
  }
  // With a CRIU that does not stop.
  void ExpectNothingWasLostOf(Victim& victim) {
    UseSoundCriu();
    ASSERT_TRUE(Restart());
    ExpectNothingWasLost(victim);
  }
  pid_t criu_ = -1;
  Victim& victim_ = NewVictim("memory", {.arguments = {"8"}});
};

// Frozen until somebody ends that CRIU.
TEST_F(HungCriu, OfACrdThatWasKilledLetsTheTreeGoAtTheNextStart) {
  ASSERT_TRUE(victim_.Started());
  ASSERT_TRUE(RestartWithCriuThatStopsBehind("pages begun"));
  auto call = Begin(CheckpointOf(victim_));
  ASSERT_GT(AwaitStoppedCriu([&] { return Ready(call); }), 0);
  UseSoundCriu();
  ASSERT_TRUE(RestartAfterKill9());
  EXPECT_FALSE(call.get().ok());
  ExpectNothingWasLost(victim_);
}

// Time runs out -----------------------------------------------------------------------------------

TEST_F(HungCriu, IsEndedAtTheDeadlineOfACheckpoint) {
  ASSERT_TRUE(victim_.Started());
  Victim& other = NewVictim("counter", {});
  ASSERT_TRUE(other.Started());
  ASSERT_TRUE(RestartWithCriuThatStopsBehind("pages begun"));
  v1::CheckpointRequest request = CheckpointOf(victim_);
  request.set_timeout_us(4'000'000);
  auto call = Begin(request);
  ASSERT_GT(AwaitStoppedCriu([&] { return Ready(call); }), 0);
  // Others are served meanwhile.
  Checkpointed(other, {"--leave-running"});
  const auto answer = call.get();
  EXPECT_EQ(answer.status.error_code(), grpc::StatusCode::DEADLINE_EXCEEDED)
      << ::testing::PrintToString(answer);
  ExpectNothingWasLostOf(victim_);
}

TEST_F(HungCriu, IsEndedAtTheDeadlineOfARestore) {
  ASSERT_TRUE(victim_.Started());
  const std::string checkpoint = Checkpointed(victim_);
  const auto counts = victim_.Counts();
  ASSERT_TRUE(RestartWithCriuThatStopsBehind("started"));
  v1::RestoreRequest request = RestoreOf(checkpoint);
  request.set_timeout_us(1'500'000);
  const auto answer = api_->Restore(request);
  EXPECT_EQ(answer.status.error_code(), grpc::StatusCode::DEADLINE_EXCEEDED)
      << ::testing::PrintToString(answer);
  EXPECT_TRUE(victim_.Gone());
  EXPECT_THAT(crd_.CgroupPids(), IsEmpty());
  ExpectRecordsAreTrue();
  Restored(checkpoint);
  EXPECT_TRUE(victim_.GoesOnFrom(counts));
}

TEST_F(HungCriu, IsNotNeededForADeadlineThatHasPassedAtOnce) {
  ASSERT_TRUE(victim_.Started());
  v1::CheckpointRequest request = CheckpointOf(victim_);
  request.set_timeout_us(1);
  EXPECT_THAT(api_->Checkpoint(request), FailsBecause("OPERATION_TIMED_OUT"));
  ExpectNothingWasLost(victim_);
}

// The client leaves -------------------------------------------------------------------------------

TEST_F(HungCriu, ThatGoesOnWithoutAClientRollsTheCheckpointBack) {
  ASSERT_TRUE(victim_.Started());
  ASSERT_TRUE(RestartWithCriuThatStopsBehind("pages begun"));
  const auto client = Start({"checkpoint", "--pid", victim_.PidText()});
  ASSERT_GT(criu_, 0);
  client->Signal(SIGKILL);
  ASSERT_TRUE(Logged("code=CANCELLED"));
  SignalPid(criu_, SIGCONT);
  EXPECT_TRUE(WaitUntil([&] { return api_->Operations().empty(); }));
  const auto operations = api_->Operations(/*all=*/true);
  ASSERT_EQ(operations.size(), 1U);
  EXPECT_EQ(operations.front().error().reason(), "OPERATION_CANCELLED");
  EXPECT_THAT(api_->Checkpoints(), IsEmpty());
  EXPECT_TRUE(victim_.GoesOn());
  ExpectNothingWasLost(victim_);
}

TEST_F(HungCriu, OfARestoreWithoutAClientIsEnded) {
  ASSERT_TRUE(victim_.Started());
  const std::string checkpoint = Checkpointed(victim_);
  ASSERT_TRUE(RestartWithCriuThatStopsBehind("started"));
  const auto client = Start({"restore", checkpoint});
  ASSERT_GT(criu_, 0);
  client->Signal(SIGKILL);
  EXPECT_TRUE(WaitUntil([&] { return api_->Operations().empty(); }));
  EXPECT_TRUE(victim_.Gone());
  ExpectRecordsAreTrue();
  ExpectNothingWasLost(victim_);
}

// Ctrl-C ------------------------------------------------------------------------------------------

TEST_F(HungCriu, ACheckpointIsUndoneBeforeCrctlSaysSo) {
  ASSERT_TRUE(victim_.Started());
  ASSERT_TRUE(RestartWithCriuThatStopsBehind("pages begun"));
  const auto client = Start({"checkpoint", "--pid", victim_.PidText()});
  ASSERT_GT(criu_, 0);
  client->Signal(SIGINT);
  EXPECT_TRUE(Said("cancelling"));
  EXPECT_TRUE(client->Runs());
  ASSERT_TRUE(Logged("code=CANCELLED"));
  SignalPid(criu_, SIGCONT);
  EXPECT_EQ(client->Wait(Within(kPatience)), (ExitStatus{.code = 128 + SIGINT}));
  EXPECT_THAT(Slurp(dir_ / "err"), HasSubstr("undone"));
  EXPECT_THAT(Slurp(dir_ / "out"), IsEmpty());
  // It has waited: nothing is under way any more.
  EXPECT_THAT(api_->Operations(), IsEmpty());
  EXPECT_TRUE(victim_.GoesOn());
  ExpectNothingWasLost(victim_);
}

TEST_F(HungCriu, ARestoreIsUndoneBeforeCrctlSaysSo) {
  ASSERT_TRUE(victim_.Started());
  const std::string checkpoint = Checkpointed(victim_);
  ASSERT_TRUE(RestartWithCriuThatStopsBehind("started"));
  const auto client = Start({"restore", checkpoint, "--wait"});
  ASSERT_GT(criu_, 0);
  client->Signal(SIGINT);
  EXPECT_EQ(client->Wait(Within(kPatience)), (ExitStatus{.code = 128 + SIGINT}));
  EXPECT_THAT(Slurp(dir_ / "err"), HasSubstr("undone"));
  EXPECT_THAT(Slurp(dir_ / "out"), IsEmpty());
  EXPECT_TRUE(victim_.Gone());
  EXPECT_THAT(api_->Operations(), IsEmpty());
  EXPECT_EQ(api_->GetCheckpoint(checkpoint)->state(), v1::CHECKPOINT_STATE_READY);
  ExpectNothingWasLost(victim_);
}

TEST_F(HungCriu, TwiceCtrlCLeavesAtOnceAndSaysWhatIsNotKnown) {
  ASSERT_TRUE(victim_.Started());
  ASSERT_TRUE(RestartWithCriuThatStopsBehind("pages begun"));
  const auto client = Start({"checkpoint", "--pid", victim_.PidText()});
  ASSERT_GT(criu_, 0);
  client->Signal(SIGINT);
  ASSERT_TRUE(Said("cancelling"));
  client->Signal(SIGINT);
  EXPECT_EQ(client->Wait(Within(kPatience)), (ExitStatus{.code = 128 + SIGINT}));
  EXPECT_THAT(Slurp(dir_ / "err"), HasSubstr("not known"));
  // It did not wait for the CRIU that still holds the operation.
  EXPECT_EQ(StateOf(criu_), 'T');
  SignalPid(criu_, SIGCONT);
  EXPECT_TRUE(WaitUntil([&] { return api_->Operations().empty(); }));
  ExpectNothingWasLost(victim_);
}

}  // namespace
}  // namespace crd::testing
