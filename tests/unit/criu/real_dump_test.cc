#include <chrono>
#include <csignal>
#include <vector>

#include "daemon/criu/images.h"
#include "tests/unit/criu/real_criu_fixture.h"

namespace crd::criu {
namespace {

using ::crd::testing::FailsWith;
using ::crd::testing::IsOk;
using ::crd::testing::Refuses;
using std::chrono::seconds;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

TEST_F(RealCriuTest, DumpEndsTheTreeAndReportsFigures) {
  StartVictim({"/bin/sleep", "1000"});
  std::vector<DumpStage> stages;
  const auto dumped = criu_->Dump(
      DumpOf(victim_->pid()),
      [&](DumpStage stage) -> Result<void> {
        stages.push_back(stage);
        return {};
      },
      cancel_);
  ASSERT_TRUE(dumped.ok()) << ::testing::PrintToString(dumped);
  EXPECT_THAT(stages, ElementsAre(DumpStage::kPreDump, DumpStage::kPostDump));
  EXPECT_GT(dumped->statistics.frozen_us, 0U);
  EXPECT_GT(dumped->statistics.pages_written, 0U);
  ASSERT_OK_AND_ASSIGN(const ExitStatus status, victim_->Wait(SteadyClock::now() + seconds(10)));
  EXPECT_EQ(status.signal, SIGKILL);
}

TEST_F(RealCriuTest, ImagesTellTheTreeAndTheRun) {
  StartVictim({"/bin/sleep", "1000"});
  const pid_t pid = DumpAway();
  ASSERT_OK_AND_ASSIGN(const auto tasks, ReadTasks(images_.ref()));
  ASSERT_EQ(tasks.size(), 1U);
  EXPECT_EQ(tasks[0].pid, pid);
  EXPECT_EQ(tasks[0].sid, pid);
  EXPECT_THAT(tasks[0].threads, ElementsAre(pid));
  ASSERT_OK_AND_ASSIGN(const auto inventory, ReadInventory(images_.ref()));
  EXPECT_EQ(inventory.dump_run_id.size(), 36U);
}

TEST_F(RealCriuTest, LeaveRunningLeavesItRunning) {
  StartVictim({"/bin/sleep", "1000"});
  DumpRequest request = DumpOf(victim_->pid());
  request.options.leave_running = true;
  EXPECT_THAT(criu_->Dump(request, &Agree, cancel_), IsOk());
  ExpectVictimRuns();
}

TEST_F(RealCriuTest, DumpOfNobodyIsNotFound) {
  // Ended and reaped a moment ago, so nobody has its pid.
  StartVictim({"/bin/sleep", "1000"});
  const pid_t pid = victim_->pid();
  victim_.reset();
  EXPECT_THAT(criu_->Dump(DumpOf(pid), &Agree, cancel_), FailsWith(Code::kNotFound));
}

TEST_F(RealCriuTest, TreeThatIsNoSessionIsRefusedWithTheOptionThatHelps) {
  StartVictim({"/bin/sleep", "1000"}, /*new_session=*/false);
  const auto dumped = criu_->Dump(DumpOf(victim_->pid()), &Agree, cancel_);
  EXPECT_THAT(dumped, Refuses("SHELL_JOB"));
  EXPECT_THAT(dumped.error().log_lines, Contains(HasSubstr("session leader")));
  ExpectVictimRuns();
}

}  // namespace
}  // namespace crd::criu
