#include <chrono>
#include <csignal>

#include "tests/unit/criu/real_criu_fixture.h"

namespace crd::criu {
namespace {

using ::crd::testing::FailsWith;
using ::crd::testing::IsOk;
using ::crd::testing::Refuses;
using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::HasSubstr;

TEST_F(RealCriuTest, VetoAtPostDumpLeavesTheTreeRunning) {
  StartVictim({"/bin/sleep", "1000"});
  char state = 0;
  const auto dumped = criu_->Dump(
      DumpOf(victim_->pid()),
      [&](DumpStage stage) -> Result<void> {
        if (stage != DumpStage::kPostDump) return {};
        state = StateOf(victim_->pid());
        return Objection();
      },
      cancel_);
  EXPECT_THAT(dumped, Refuses("MINE"));
  EXPECT_EQ(state, 't');
  ExpectVictimRuns();
}

TEST_F(RealCriuTest, CancelledDumpIsRolledBackCleanly) {
  StartVictim({"/bin/sleep", "1000"});
  const auto dumped = criu_->Dump(
      DumpOf(victim_->pid()),
      [&](DumpStage) -> Result<void> {
        cancel_.Cancel();
        return {};
      },
      cancel_);
  EXPECT_THAT(dumped, FailsWith(Code::kCancelled));
  EXPECT_EQ(dumped.error().reason, "");
  ExpectVictimRuns();
}

TEST_F(RealCriuTest, DeadlineEndsAStoppedCriuAndTheTreeRunsOn) {
  StartVictim({"/bin/sleep", "1000"});
  DumpRequest request = DumpOf(victim_->pid());
  request.deadline = SteadyClock::now() + milliseconds(500);
  const auto dumped = criu_->Dump(
      request,
      [&](DumpStage) -> Result<void> {
        ::kill(FindCriu(), SIGSTOP);
        return {};
      },
      cancel_);
  EXPECT_THAT(dumped, FailsWith(Code::kDeadlineExceeded));
  EXPECT_THAT(dumped, Refuses("CRIU_KILLED"));
  ExpectVictimRuns();
}

TEST_F(RealCriuTest, CriuKilledWhileTheTreeIsFrozenLeavesItRunning) {
  StartVictim({"/bin/sleep", "1000"});
  const auto dumped = criu_->Dump(
      DumpOf(victim_->pid()),
      [&](DumpStage stage) -> Result<void> {
        if (stage == DumpStage::kPostDump) ::kill(FindCriu(), SIGKILL);
        return {};
      },
      cancel_);
  EXPECT_THAT(dumped, Refuses("CRIU_KILLED"));
  EXPECT_THAT(dumped.error().message, HasSubstr("signal 9"));
  ExpectVictimRuns();
}

TEST_F(RealCriuTest, TakenPidIsRefusedAndTheImagesStayGood) {
  StartVictim({"/bin/sleep", "1000"});
  DumpRequest request = DumpOf(victim_->pid());
  request.options.leave_running = true;
  ASSERT_THAT(criu_->Dump(request, &Agree, cancel_), IsOk());
  const auto restored = criu_->Restore(RestoreOf(), &AgreeToRestore, cancel_);
  EXPECT_THAT(restored, Refuses("PID_TAKEN"));
  EXPECT_THAT(restored, FailsWith(Code::kAlreadyExists));
  EXPECT_EQ(restored.error().sys_errno, EEXIST);
  victim_.reset();
  Restore(RestoreOf());
}

TEST_F(RealCriuTest, VetoAtPostRestoreLeavesNothingAndTheImagesStayGood) {
  StartVictim({"/bin/sleep", "1000"});
  const pid_t pid = DumpAway();
  const auto vetoed = criu_->Restore(
      RestoreOf(),
      [&](RestoreStage stage, pid_t) -> Result<void> {
        if (stage == RestoreStage::kPostRestore) return Objection();
        return {};
      },
      cancel_);
  EXPECT_THAT(vetoed, Refuses("MINE"));
  // CRIU has killed it; as our child it is ours to reap.
  const auto deadline = SteadyClock::now() + seconds(10);
  while (SteadyClock::now() < deadline && ::kill(pid, 0) == 0) children_.ReapStrangers();
  EXPECT_EQ(::kill(pid, 0), -1);
  Restore(RestoreOf());
}

}  // namespace
}  // namespace crd::criu
