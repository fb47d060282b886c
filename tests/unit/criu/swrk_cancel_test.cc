#include <chrono>
#include <thread>
#include <vector>

#include "tests/unit/criu/swrk_criu_fixture.h"

namespace crd::criu {
namespace {

using ::crd::testing::FailsWith;
using ::crd::testing::IsOk;
using ::crd::testing::Refuses;
using std::chrono::milliseconds;

TEST_F(SwrkCriuTest, PassedDeadlineKillsACriuThatAsksNothing) {
  const FakeProgram program(std::string(kGoodVersion) + "notify pre-dump\nhang\n");
  const auto dumped = Dump(program, &Agree, SteadyClock::now() + milliseconds(300));
  EXPECT_THAT(dumped, FailsWith(Code::kDeadlineExceeded));
  EXPECT_THAT(dumped, Refuses("CRIU_KILLED"));
}

TEST_F(SwrkCriuTest, PassedDeadlineIsToldToACriuThatAsks) {
  const FakeProgram program(std::string(kGoodVersion) +
                            "notify pre-dump\nstop-if-refused\nnotify post-dump\nok\n");
  const auto deadline = SteadyClock::now() + milliseconds(1000);
  const auto dumped = Dump(
      program,
      [&](DumpStage) -> Result<void> {
        std::this_thread::sleep_until(deadline);  // the slow observer is the subject
        return {};
      },
      deadline);
  EXPECT_THAT(dumped, FailsWith(Code::kDeadlineExceeded));
  EXPECT_EQ(dumped.error().reason, "");
  EXPECT_EQ(program.answers(), "pre-dump false\n");
}

TEST_F(SwrkCriuTest, CancelledDumpIsToldToACriuThatAsks) {
  const FakeProgram program(std::string(kGoodVersion) +
                            "notify pre-dump\nstop-if-refused\nnotify post-dump\nok\n");
  const auto dumped = Dump(program, [&](DumpStage) -> Result<void> {
    cancel_.Cancel();
    return {};
  });
  EXPECT_THAT(dumped, FailsWith(Code::kCancelled));
  EXPECT_EQ(dumped.error().reason, "");
  EXPECT_EQ(program.answers(), "pre-dump false\n");
}

TEST_F(SwrkCriuTest, CancelledDumpIsToldAtTheNextNotification) {
  const FakeProgram program(std::string(kGoodVersion) +
                            "notify pre-dump\nwait\nnotify post-dump\nok\n");
  std::thread canceller([&] {
    program.AwaitAnswer("pre-dump true");
    cancel_.Cancel();
    program.LetGoOn();
  });
  EXPECT_THAT(Dump(program, &Agree), FailsWith(Code::kCancelled));
  canceller.join();
  EXPECT_EQ(program.answers(), "pre-dump true\npost-dump false\n");
}

TEST_F(SwrkCriuTest, CancelledDumpThatNeverAsksAgainIsKilled) {
  patience_ = kImpatient;
  const FakeProgram program(std::string(kGoodVersion) + "notify pre-dump\nhang\n");
  std::thread canceller([&] {
    program.AwaitAnswer("pre-dump true");
    cancel_.Cancel();
  });
  const auto dumped = Dump(program, &Agree);
  canceller.join();
  EXPECT_THAT(dumped, FailsWith(Code::kCancelled));
  EXPECT_THAT(dumped, Refuses("CRIU_KILLED"));
}

TEST_F(SwrkCriuTest, CancellationAfterTheCommitDoesNotCount) {
  const FakeProgram program(std::string(kGoodVersion) +
                            "notify post-dump\nnotify network-unlock\nok\n");
  EXPECT_THAT(Dump(program,
                   [&](DumpStage stage) -> Result<void> {
                     if (stage == DumpStage::kPostDump) cancel_.Cancel();
                     return {};
                   }),
              IsOk());
  EXPECT_EQ(program.answers(), "post-dump true\nnetwork-unlock true\n");
}

TEST_F(SwrkCriuTest, CriuThatHangsAfterTheCommitIsKilled) {
  patience_ = kImpatient;
  const FakeProgram program(std::string(kGoodVersion) + "notify post-dump\nhang\n");
  const auto dumped = Dump(program, &Agree, SteadyClock::now() + milliseconds(200));
  EXPECT_THAT(dumped, FailsWith(Code::kDeadlineExceeded));
  EXPECT_THAT(dumped, Refuses("CRIU_KILLED"));
}

}  // namespace
}  // namespace crd::criu
