// crd, CRIU, the client and the disk fail at every moment; after each the program runs untouched or
// is in a complete checkpoint, records and host agree, and the next request works.
#include <chrono>
#include <csignal>
#include <functional>
#include <future>
#include <string>
#include <thread>
#include <vector>

#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "tests/integration/support/integration_test.h"

namespace crd::testing {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class Faults : public IntegrationTest {};

// crd is killed ---------------------------------------------------------------------------------

// The test is a row of delays after which crd is killed; the first ones hit the earliest stages.
class KilledCrd : public Faults, public ::testing::WithParamInterface<int> {
 protected:
  static constexpr int kRounds = 5;
  static constexpr int kRows = 4;
  // Spread over what an operation takes, no two tests alike.
  static microseconds Delay(int round, microseconds span) {
    return span * (round * kRows + GetParam()) / (kRounds * kRows);
  }
  // Precise to some 50 us; the delay is the fault's place, nothing is waited for.
  static void Pass(microseconds delay) {
    const auto until = SteadyClock::now() + delay;
    while (SteadyClock::now() < until) std::this_thread::yield();
  }
};

TEST_P(KilledCrd, InACheckpointLosesNothing) {
  Victim victim(reaper_, dir_.path(), "memory", {.arguments = {"32"}});
  ASSERT_TRUE(victim.Started());
  for (int round = 0; round < kRounds && !HasFailure(); ++round) {
    SCOPED_TRACE(Delay(round, milliseconds(80)).count());
    v1::CheckpointRequest request = CheckpointOf(victim);
    request.set_request_id("round" + std::to_string(round));
    auto call = Begin(request);
    Pass(Delay(round, milliseconds(80)));
    ASSERT_TRUE(RestartAfterKill9());
    const auto first = call.get();
    // Asked again with the same request id there is one result, the first or a new one.
    const auto again = api_->Checkpoint(request);
    if (first.ok()) {
      EXPECT_EQ(again->id(), first->id());
    }
    ExpectNothingWasLost(victim);
  }
}

TEST_P(KilledCrd, InARestoreLosesNothing) {
  Victim victim(reaper_, dir_.path(), "memory", {.arguments = {"32"}});
  ASSERT_TRUE(victim.Started());
  const std::string checkpoint = Checkpointed(victim);
  const auto counts = victim.Counts();
  for (int round = 0; round < kRounds && !HasFailure(); ++round) {
    SCOPED_TRACE(Delay(round, milliseconds(80)).count());
    auto call = Begin(RestoreOf(checkpoint));
    Pass(Delay(round, milliseconds(80)));
    ASSERT_TRUE(RestartAfterKill9());
    const auto first = call.get();
    ExpectRecordsAreTrue();
    const auto containers = api_->Containers();
    // Either it runs and is known, or there is nothing of it.
    if (containers.empty()) {
      EXPECT_TRUE(victim.Gone());
      EXPECT_THAT(crd_.CgroupPids(), IsEmpty());
      EXPECT_FALSE(first.ok());
      Restored(checkpoint);
    }
    EXPECT_TRUE(victim.GoesOnFrom(counts));
    EXPECT_EQ(api_->Containers().size(), 1U);
    victim.Kill();
    EXPECT_TRUE(WaitUntil([&] { return api_->Containers().empty(); }));
  }
}

INSTANTIATE_TEST_SUITE_P(Row, KilledCrd, ::testing::Range(0, 4));

TEST_F(Faults, CrdKilledInADeletionLeavesAllOrNothing) {
  Victim victim(reaper_, dir_.path(), "counter");
  ASSERT_TRUE(victim.Started());
  for (int round = 0; round < 6; ++round) {
    const std::string checkpoint = Checkpointed(victim, {"--leave-running"});
    auto call =
        std::async(std::launch::async, [&] { return Api(crd_.socket()).Delete(checkpoint); });
    std::this_thread::sleep_for(microseconds(300) * round);
    ASSERT_TRUE(RestartAfterKill9());
    static_cast<void>(call.get());
    ExpectRecordsAreTrue();
  }
  EXPECT_TRUE(victim.GoesOn());
}

// CRIU is killed -------------------------------------------------------------------------

TEST_F(Faults, CriuKilledInACheckpointLeavesTheProgramRunning) {
  Victim victim(reaper_, dir_.path(), "memory", {.arguments = {"64"}});
  ASSERT_TRUE(victim.Started());
  for (int round = 0; round < 8 && !HasFailure(); ++round) {
    SCOPED_TRACE(round);
    v1::CheckpointRequest request = CheckpointOf(victim);
    auto call = Begin(request);
    const pid_t criu = AwaitCriu([&] { return Ready(call); });
    std::this_thread::sleep_for(milliseconds(5) * round);
    if (criu > 0) SignalPid(criu, SIGKILL);
    const auto answer = call.get();
    if (!answer.ok()) {
      EXPECT_THAT(answer.error.message(), HasSubstr("CRIU"));
    }
    ExpectNothingWasLost(victim);
  }
}

TEST_F(Faults, CriuKilledInARestoreLeavesNothingHalfMade) {
  Victim victim(reaper_, dir_.path(), "tree", {.arguments = {"10"}});
  ASSERT_TRUE(victim.Started());
  const std::string checkpoint = Checkpointed(victim);
  for (int round = 0; round < 8 && !HasFailure(); ++round) {
    SCOPED_TRACE(round);
    const auto counts = victim.Counts();
    auto call = Begin(RestoreOf(checkpoint));
    const pid_t criu = AwaitCriu([&] { return Ready(call); });
    std::this_thread::sleep_for(milliseconds(3) * round);
    if (criu > 0) SignalPid(criu, SIGKILL);
    if (!call.get().ok()) {
      EXPECT_TRUE(victim.Gone());
      EXPECT_THAT(crd_.CgroupPids(), IsEmpty());
      ExpectRecordsAreTrue();
      Restored(checkpoint);
    }
    EXPECT_TRUE(victim.GoesOnFrom(counts));
    victim.Kill();
    EXPECT_TRUE(WaitUntil([&] { return api_->Containers().empty(); }));
  }
}

// CRIU's own failure points: 1, 3 and 5 are in a dump, 2 and 6 in a restore.
class CriuFault : public Faults, public ::testing::WithParamInterface<int> {
 protected:
  CrdDaemon::Options DaemonOptions() override {
    if (!faulty_) return {};
    return {.arguments = {}, .environment = {"CRIU_FAULT=" + std::to_string(GetParam())}};
  }
  bool faulty_ = false;
};

using CriuFaultInACheckpoint = CriuFault;
TEST_P(CriuFaultInACheckpoint, IsReportedAndTheProgramRunsOn) {
  Victim victim(reaper_, dir_.path(), "threads");
  ASSERT_TRUE(victim.Started());
  faulty_ = true;
  ASSERT_TRUE(Restart());
  const auto answer = api_->Checkpoint(CheckpointOf(victim));
  EXPECT_FALSE(answer.ok());
  EXPECT_THAT(answer.error.message(), HasSubstr("CRIU"));
  EXPECT_TRUE(victim.GoesOn());
  ExpectRecordsAreTrue();
  faulty_ = false;
  ASSERT_TRUE(Restart());
  ExpectNothingWasLost(victim);
}
INSTANTIATE_TEST_SUITE_P(Point, CriuFaultInACheckpoint, ::testing::Values(1, 3, 5));

using CriuFaultInARestore = CriuFault;
TEST_P(CriuFaultInARestore, IsReportedAndTheNextOneWorks) {
  Victim victim(reaper_, dir_.path(), "threads");
  ASSERT_TRUE(victim.Started());
  const std::string checkpoint = Checkpointed(victim);
  const auto counts = victim.Counts();
  faulty_ = true;
  ASSERT_TRUE(Restart());
  const auto answer = api_->Restore(RestoreOf(checkpoint));
  EXPECT_FALSE(answer.ok());
  EXPECT_THAT(answer.error.message(), HasSubstr("CRIU"));
  EXPECT_TRUE(victim.Gone());
  EXPECT_THAT(crd_.CgroupPids(), IsEmpty());
  ExpectRecordsAreTrue();
  faulty_ = false;
  ASSERT_TRUE(Restart());
  Restored(checkpoint);
  EXPECT_TRUE(victim.GoesOnFrom(counts));
}
INSTANTIATE_TEST_SUITE_P(Point, CriuFaultInARestore, ::testing::Values(2, 6));

TEST_F(Faults, StoppingCrdLetsTheCheckpointFinish) {
  Victim victim(reaper_, dir_.path(), "memory", {.arguments = {"256"}});
  ASSERT_TRUE(victim.Started());
  auto call = Begin(CheckpointOf(victim));
  ASSERT_GT(AwaitCriu([&] { return Ready(call); }), 0);
  EXPECT_EQ(StopCrd(), (ExitStatus{.code = 0}));
  EXPECT_THAT(call.get(), Worked());
  EXPECT_TRUE(victim.Gone());
  ASSERT_TRUE(StartCrd());
  ExpectNothingWasLost(victim);
}

// The target itself -------------------------------------------------------------------------------

TEST_F(Faults, AProgramThatEndsInTheMiddleIsReported) {
  Victim victim(reaper_, dir_.path(), "memory", {.arguments = {"64"}});
  ASSERT_TRUE(victim.Started());
  auto call = Begin(CheckpointOf(victim));
  static_cast<void>(AwaitCriu([&] { return Ready(call); }));
  SignalPid(victim.pid(), SIGKILL);
  const auto answer = call.get();
  EXPECT_TRUE(WaitUntil([&] { return victim.Gone(); }));
  ExpectRecordsAreTrue();
  if (answer.ok()) ExpectNothingWasLost(victim);
}

// The disk ----------------------------------------------------------------------------------------

// A crd whose state is on a file system of its own, of this many MiB.
class SmallDisk : public Faults {
 protected:
  SmallDisk() {
    ::mkdir(mount_.c_str(), 0700);
    mounted_ = ::mount("tmpfs", mount_.c_str(), "tmpfs", 0, "size=24m") == 0;
  }
  ~SmallDisk() override {
    small_.reset();
    ::umount2(mount_.c_str(), MNT_DETACH);
  }
  void SetUp() override {
    IntegrationTest::SetUp();
    ASSERT_TRUE(mounted_);
    ::mkdir((dir_ / "small").c_str(), 0700);
    small_ = std::make_unique<CrdDaemon>(reaper_, dir_ / "small", mount_ + "/state");
    ASSERT_TRUE(small_->Start());
    small_api_ = std::make_unique<Api>(small_->socket());
  }
  const std::string mount_ = dir_ / "disk";
  bool mounted_ = false;
  std::unique_ptr<CrdDaemon> small_;
  std::unique_ptr<Api> small_api_;
};

TEST_F(SmallDisk, ThatCannotHoldTheImagesIsSeenBeforehand) {
  Victim victim(reaper_, dir_.path(), "memory", {.arguments = {"64"}});
  ASSERT_TRUE(victim.Started());
  const auto answer = small_api_->Checkpoint(CheckpointOf(victim));
  EXPECT_THAT(answer, FailsBecause("NO_ROOM"));
  EXPECT_THAT(answer.error.message(), HasSubstr("MiB"));
  EXPECT_TRUE(victim.GoesOn());
  EXPECT_THAT(small_api_->Checkpoints(/*all=*/true), IsEmpty());
}

TEST_F(SmallDisk, ThatFillsUpMeanwhileRollsTheCheckpointBack) {
  // It needs 12 MiB and finds 14, of which somebody else takes 10 as soon as CRIU runs.
  Victim victim(reaper_, dir_.path(), "memory", {.arguments = {"12"}});
  ASSERT_TRUE(victim.Started());
  const UniqueFd hog(::open((mount_ + "/hog").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  auto call =
      std::async(std::launch::async, [&] { return small_api_->Checkpoint(CheckpointOf(victim)); });
  static_cast<void>(WaitUntil([&] { return !small_->CgroupPids().empty() || Ready(call); }));
  ASSERT_EQ(::posix_fallocate(hog.get(), 0, 21 << 20), 0);
  const auto answer = call.get();
  if (!answer.ok()) {
    EXPECT_EQ(answer.status.error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED)
        << ::testing::PrintToString(answer);
    EXPECT_TRUE(victim.GoesOn());
    EXPECT_THAT(FilesIn(mount_ + "/state/checkpoints/.staging"), IsEmpty());
  }
  EXPECT_EQ(::ftruncate(hog.get(), 0), 0);
  if (!answer.ok()) {
    EXPECT_THAT(small_api_->Checkpoint(CheckpointOf(victim)), Worked());
  }
  EXPECT_TRUE(victim.Gone());
}

TEST_F(SmallDisk, ThatIsFullIsReportedAndListsStillWork) {
  Victim victim(reaper_, dir_.path(), "counter");
  ASSERT_TRUE(victim.Started());
  const UniqueFd hog(::open((mount_ + "/hog").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  const std::string filling(1 << 20, 'x');
  while (::write(hog.get(), filling.data(), filling.size()) > 0) {
  }
  const auto answer = small_api_->Checkpoint(CheckpointOf(victim));
  EXPECT_EQ(answer.status.error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED)
      << ::testing::PrintToString(answer);
  EXPECT_THAT(small_api_->Info(), Worked());
  EXPECT_TRUE(victim.GoesOn());
  EXPECT_EQ(::ftruncate(hog.get(), 0), 0);
  EXPECT_THAT(small_api_->Checkpoint(CheckpointOf(victim)), Worked());
  EXPECT_TRUE(victim.Gone());
}

// The checkpoints are on a mount of their own: one that has a file open for writing, as the
// database is, cannot be made read-only.
TEST_F(SmallDisk, ThatTurnsReadOnlyIsReportedAndTheProgramRunsOn) {
  Victim victim(reaper_, dir_.path(), "counter");
  ASSERT_TRUE(victim.Started());
  const std::string checkpoints = mount_ + "/state/checkpoints";
  small_api_.reset();
  ASSERT_EQ(small_->Stop(), (ExitStatus{.code = 0}));
  ASSERT_EQ(::mount(checkpoints.c_str(), checkpoints.c_str(), nullptr, MS_BIND, nullptr), 0);
  const auto remount = [&](unsigned long flags) {
    return ::mount(nullptr, checkpoints.c_str(), nullptr, MS_REMOUNT | MS_BIND | flags, nullptr);
  };
  ASSERT_TRUE(small_->Start());
  small_api_ = std::make_unique<Api>(small_->socket());
  ASSERT_EQ(remount(MS_RDONLY), 0);
  const auto answer = small_api_->Checkpoint(CheckpointOf(victim));
  EXPECT_THAT(answer, FailsBecause("IMAGES_UNWRITABLE"));
  EXPECT_THAT(answer.error.message(), HasSubstr("ead-only"));
  EXPECT_THAT(answer.error.hint(), HasSubstr("remount"));
  EXPECT_TRUE(victim.GoesOn());
  EXPECT_THAT(small_api_->Checkpoints(/*all=*/true), IsEmpty());
  EXPECT_THAT(small_api_->Containers(/*all=*/true), IsEmpty());
  EXPECT_THAT(small_api_->Info(), Worked());
  ASSERT_EQ(remount(0), 0);
  EXPECT_THAT(small_api_->Checkpoint(CheckpointOf(victim)), Worked());
  EXPECT_TRUE(victim.Gone());
  small_api_.reset();
  EXPECT_EQ(small_->Stop(), (ExitStatus{.code = 0}));
  EXPECT_EQ(::umount2(checkpoints.c_str(), 0), 0);
}

TEST_F(SmallDisk, ThatIsReadOnlyAtStartIsRefused) {
  small_api_.reset();
  EXPECT_EQ(small_->Stop(), (ExitStatus{.code = 0}));
  ASSERT_EQ(RunProgram(reaper_, {"mount", "-o", "remount,ro,bind", mount_}).exit, 0);
  EXPECT_EQ(small_->StartAndFail({}), (ExitStatus{.code = 1}));
  EXPECT_THAT(small_->Log(), HasSubstr("ead-only"));
}

// CRIU that is none -------------------------------------------------------------------------------

class BrokenCriu : public Faults, public ::testing::WithParamInterface<std::string> {
 protected:
  CrdDaemon::Options DaemonOptions() override {
    return {.arguments = {}, .environment = {}, .criu = criu_};
  }
  std::string criu_;
};

TEST_P(BrokenCriu, IsReportedAndTheProgramRunsOn) {
  Victim victim(reaper_, dir_.path(), "counter");
  ASSERT_TRUE(victim.Started());
  const std::string criu = dir_ / "criu";
  Spill(criu, GetParam());
  ::chmod(criu.c_str(), 0755);
  EXPECT_EQ(StopCrd(), (ExitStatus{.code = 0}));
  criu_ = criu;
  ASSERT_TRUE(StartCrd());
  const auto info = api_->Info();
  EXPECT_FALSE(info->criu_problem().empty());
  EXPECT_THAT(api_->Checkpoint(CheckpointOf(victim)), FailsBecause("CRIU_UNUSABLE"));
  EXPECT_TRUE(Refused(crctl_({"checkpoint", "--pid", victim.PidText()}), criu));
  EXPECT_TRUE(victim.GoesOn());
  EXPECT_THAT(api_->Checkpoints(/*all=*/true), IsEmpty());
}

INSTANTIATE_TEST_SUITE_P(All, BrokenCriu,
                         ::testing::Values("#!/bin/sh\nexit 127\n", "#!/bin/sh\necho rubbish\n",
                                           "#!/no/such/interpreter\n", ""),
                         [](const auto& tested) { return "Kind" + std::to_string(tested.index); });

}  // namespace
}  // namespace crd::testing
