// Records of what was restored: who runs, how it ended, over every kind of end of crd itself.
#include <chrono>
#include <csignal>
#include <filesystem>
#include <iterator>
#include <memory>
#include <optional>
#include <sstream>
#include <string>
#include <vector>

#include <fcntl.h>

#include "tests/integration/support/integration_test.h"
#include "tests/integration/support/pty.h"

namespace crd::testing {
namespace {

using ::testing::AllOf;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

class Containers : public IntegrationTest {
 protected:
  // A restored victim that ends as it is ordered to.
  void SetUp() override {
    IntegrationTest::SetUp();
    if (HasFatalFailure()) return;
    victim_ = std::make_unique<Victim>(reaper_, dir_.path(), "ends",
                                       Victim::Options{.arguments = {dir_ / "order"}});
    ASSERT_TRUE(victim_->Started());
    checkpoint_ = Checkpointed(*victim_);
    container_ = Restored(checkpoint_, {"--name", "it"});
    ASSERT_TRUE(victim_->GoesOn());
  }
  void TearDown() override {
    victim_.reset();
    IntegrationTest::TearDown();
  }
  void Order(const std::string& order) { Spill(dir_ / "order", order + "\n"); }
  v1::Container Record() { return api_->GetContainer(container_).message; }
  // Waits until crd has recorded the end.
  v1::Container Ended() { return api_->Wait(container_).message; }

  [[nodiscard]] bool StartCrdWithKept() {
    with_kept_ = true;
    return StartCrd();
  }
  CrdDaemon::Options DaemonOptions() override {
    return {.arguments = {}, .environment = {}, .with_kept_descriptors = with_kept_};
  }

  bool with_kept_ = false;
  std::unique_ptr<Victim> victim_;
  std::string checkpoint_;
  std::string container_;
};

TEST_F(Containers, AreRecordedWithAllThatIdentifiesThem) {
  const v1::Container record = Record();
  EXPECT_EQ(record.name(), "it");
  EXPECT_EQ(record.state(), v1::CONTAINER_STATE_RUNNING);
  EXPECT_EQ(record.pid(), victim_->pid());
  EXPECT_EQ(record.start_time(), ReadStartTime(victim_->pid()).value());
  EXPECT_EQ(record.parent_checkpoint_id(), checkpoint_);
  EXPECT_THAT(record.command(), HasSubstr("ends"));
  EXPECT_GT(record.started_us(), 0);
  EXPECT_EQ(record.ended_us(), 0);
  EXPECT_FALSE(record.has_exit());
  EXPECT_THAT(api_->GetCheckpoint(checkpoint_)->restored_container_ids(), ElementsAre(container_));
}

TEST_F(Containers, AreShownByPs) {
  EXPECT_THAT(crctl_({"ps"}).out, AllOf(HasSubstr(container_), HasSubstr(victim_->PidText())));
  EXPECT_EQ(crctl_({"ps", "-q"}).Line(), container_);
  Order("exit 3");
  Ended();
  EXPECT_EQ(crctl_({"ps", "-q"}).out, "");
  EXPECT_THAT(crctl_({"ps", "--all"}).out, AllOf(HasSubstr(container_), HasSubstr("exited")));
}

TEST_F(Containers, KeepTheExitStatus) {
  Order("exit 42");
  const v1::Container ended = Ended();
  EXPECT_EQ(ended.state(), v1::CONTAINER_STATE_EXITED);
  EXPECT_EQ(ended.exit().code(), 42);
  EXPECT_TRUE(ended.exit().has_code());
  EXPECT_EQ(crctl_({"wait", "it"}).Line(), "42");
}

TEST_F(Containers, KeepTheSignalThatKilledThem) {
  Order("signal 11");
  EXPECT_EQ(Ended().exit().signal(), SIGSEGV);
  EXPECT_THAT(crctl_({"wait", "it"}).Line(), HasSubstr("SEGV"));
}

TEST_F(Containers, AreRecordedWithin100MillisecondsOfTheirEnd) {
  const auto process = PidFd::Open(victim_->pid());
  ASSERT_TRUE(process.ok());
  Order("exit 0");
  ASSERT_TRUE(process->WaitExit(Within(kPatience)));
  const auto end = std::chrono::duration_cast<std::chrono::microseconds>(
                       std::chrono::system_clock::now().time_since_epoch())
                       .count();
  EXPECT_LT(Ended().ended_us() - end, 100'000);
}

TEST_F(Containers, AreEndedByKill) {
  EXPECT_EQ(crctl_({"kill", "it"}).exit, 0);
  EXPECT_EQ(Ended().exit().signal(), SIGTERM);
  EXPECT_TRUE(Refused(crctl_({"kill", "it"}), "does not run"));
}

TEST_F(Containers, TakeTheSignalThatKillIsTold) {
  EXPECT_EQ(crctl_({"kill", "-s", "KILL", container_.substr(0, 6)}).exit, 0);
  EXPECT_EQ(Ended().exit().signal(), SIGKILL);
}

TEST_F(Containers, AreForgottenOnceTheyHaveEnded) {
  EXPECT_TRUE(Refused(crctl_({"forget", "it"}), "running"));
  Order("exit 0");
  Ended();
  EXPECT_EQ(crctl_({"forget", "it"}).exit, 0);
  EXPECT_THAT(api_->GetContainer(container_), FailsBecause("CONTAINER_NOT_FOUND"));
  EXPECT_THAT(FilesIn(crd_.state() + "/containers"), IsEmpty());
}

TEST_F(Containers, AreFollowedByEvents) {
  const std::string path = dir_ / "events";
  const auto events =
      crctl_.Start({"events", "--follow", "--since", "0"}, {.argv = {}, .out = {.path = path}});
  EXPECT_TRUE(WaitUntil([&] { return Slurp(path).find("running") != std::string::npos; }));
  Order("exit 5");
  EXPECT_TRUE(WaitUntil([&] { return Slurp(path).find("exited") != std::string::npos; }));
  Ended();
  EXPECT_EQ(crctl_({"forget", "it"}).exit, 0);
  EXPECT_TRUE(WaitUntil([&] { return Slurp(path).find("forgotten") != std::string::npos; }));
  events->Signal(SIGINT);
  EXPECT_EQ(events->Wait(Within(kPatience)), (ExitStatus{.code = {}, .signal = SIGINT}));
}

TEST_F(Containers, EventsGrowInNumberOverARestart) {
  const auto before = api_->Events();
  ASSERT_FALSE(before.empty());
  ASSERT_TRUE(Restart());
  Order("exit 0");
  Ended();
  const auto after = api_->Events(before.back().sequence());
  ASSERT_FALSE(after.empty());
  EXPECT_GT(after.front().sequence(), before.back().sequence());
  EXPECT_EQ(after.back().change(), "exited");
}

// Orphans -----------------------------------------------------------------------------------------

TEST_F(Containers, OrphansOfARestoredTreeComeToCrd) {
  Victim victim(reaper_, dir_.path(), "orphans", {.arguments = {dir_ / "now"}});
  ASSERT_TRUE(victim.Started());
  Restored(Checkpointed(victim));
  Spill(dir_ / "now", "");
  ASSERT_TRUE(WaitUntil([&] { return victim.Value(0) != 0; }));
  EXPECT_EQ(victim.Value(1), crd_.pid());
  EXPECT_TRUE(victim.GoesOn());
}

TEST_F(Containers, OrphansThatEndAreReaped) {
  constexpr int kOrphans = 300;
  Victim victim(reaper_, dir_.path(), "zombies",
                {.arguments = {dir_ / "now", std::to_string(kOrphans)}});
  ASSERT_TRUE(victim.Started());
  const std::string container = Restored(Checkpointed(victim));
  Spill(dir_ / "now", "");
  ASSERT_TRUE(WaitUntil([&] { return victim.Value(0) == kOrphans; }));
  const auto zombies = [&] {
    return RunProgram(reaper_, {"ps", "--ppid", std::to_string(crd_.pid()), "-o", "state="}).out;
  };
  EXPECT_TRUE(WaitUntil([&] { return zombies().find('Z') == std::string::npos; })) << zombies();
  EXPECT_TRUE(victim.GoesOn());
}

// crd ends and comes back -------------------------------------------------------------------------

TEST_F(Containers, RunOnWhenCrdIsStoppedAndAreFoundAgain) {
  EXPECT_EQ(StopCrd(), (ExitStatus{.code = 0}));
  EXPECT_TRUE(victim_->GoesOn());
  ASSERT_TRUE(StartCrd());
  EXPECT_EQ(Record().state(), v1::CONTAINER_STATE_RUNNING);
  EXPECT_EQ(crctl_({"kill", "it"}).exit, 0);
  EXPECT_EQ(Ended().exit().signal(), SIGTERM);
}

TEST_F(Containers, RunOnWhenCrdIsKilledAndAreFoundAgain) {
  ASSERT_TRUE(RestartAfterKill9());
  EXPECT_TRUE(victim_->GoesOn());
  EXPECT_EQ(Record().state(), v1::CONTAINER_STATE_RUNNING);
  Order("exit 9");
  // Another process reaps it: the kernel tells us nevertheless.
  EXPECT_EQ(Ended().exit().code(), 9);
}

TEST_F(Containers, CanBeCheckpointedByTheNextCrd) {
  ASSERT_TRUE(RestartAfterKill9());
  const Outcome made = crctl_({"checkpoint", "it"});
  ASSERT_EQ(made.exit, 0) << ::testing::PrintToString(made);
  EXPECT_EQ(Record().state(), v1::CONTAINER_STATE_CHECKPOINTED);
  const auto counts = victim_->Counts();
  Restored(made.Line());
  EXPECT_TRUE(victim_->GoesOnFrom(counts));
  EXPECT_EQ(ParentOf(victim_->pid()), crd_.pid());
}

TEST_F(Containers, KeepTheirExitStatusOverARestart) {
  Order("exit 42");
  Ended();
  ASSERT_TRUE(RestartAfterKill9());
  EXPECT_EQ(Record().state(), v1::CONTAINER_STATE_EXITED);
  EXPECT_EQ(Record().exit().code(), 42);
}

TEST_F(Containers, ThatEndWhileNobodyWatchesAreSaidToBeLost) {
  crd_.Kill9();
  Order("exit 42");
  ASSERT_TRUE(WaitUntil([&] { return victim_->Gone(); }));
  ASSERT_TRUE(StartCrd());
  const v1::Container record = Record();
  EXPECT_EQ(record.state(), v1::CONTAINER_STATE_LOST);
  EXPECT_FALSE(record.has_exit());
  EXPECT_THAT(record.problem(), HasSubstr("unknown"));
  EXPECT_EQ(crctl_({"wait", "it"}).Line(), "unknown");
  EXPECT_EQ(crctl_({"restore", checkpoint_, "--wait"}).exit, 42);
}

TEST_F(Containers, ThatEndWhileCrdIsDownAreKnownThroughTheKeptPidfd) {
  ASSERT_TRUE(WaitUntil([&] { return crd_.notify().Kept("pidfd." + container_) == 1; }));
  crd_.Kill9();
  Order("exit 42");
  ASSERT_TRUE(WaitUntil([&] { return victim_->Gone(); }));
  ASSERT_TRUE(StartCrdWithKept());
  const v1::Container record = Record();
  EXPECT_EQ(record.state(), v1::CONTAINER_STATE_EXITED);
  EXPECT_EQ(record.exit().code(), 42);
  EXPECT_TRUE(WaitUntil([&] { return crd_.notify().Kept("pidfd." + container_) == 0; }))
      << "it is still in the store";
}

TEST_F(Containers, AreInSystemdsStoreOnceHoweverOftenCrdIsStarted) {
  for (int i = 0; i < 3; ++i) {
    // Asked for something else, it has said all that it had to say at start.
    EXPECT_THAT(api_->Info(), Worked());
    EXPECT_TRUE(WaitUntil([&] { return crd_.notify().Kept("pidfd." + container_) > 0; }));
    EXPECT_EQ(crd_.notify().Kept("pidfd." + container_), 1U);
    crd_.Kill9();
    ASSERT_TRUE(StartCrdWithKept());
  }
}

// The next crd answers who waits on this one: one that was killed, and one that was stopped.
class Waiters : public Containers, public ::testing::WithParamInterface<bool> {
 protected:
  // Connections to crd's socket in the test's network namespace, as crd's kernel side sees them.
  [[nodiscard]] std::size_t Connections() const {
    std::istringstream lines(Slurp("/proc/thread-self/net/unix"));
    std::size_t connections = 0;
    // The sixth column is the state: 03 is connected. The path is the last.
    for (std::string line; std::getline(lines, line);) {
      std::istringstream words(line);
      std::vector<std::string> columns{std::istream_iterator<std::string>(words), {}};
      if (columns.size() == 8 && columns[5] == "03" && columns[7] == crd_.socket()) ++connections;
    }
    return connections;
  }
  // Starts crctl, and returns once it has got through to crd.
  std::unique_ptr<Process> Connected(const Crctl::Words& words) {
    const std::size_t before = Connections();
    auto client = crctl_.Start(
        words, {.argv = {}, .out = {.path = dir_ / "out"}, .err = {.path = dir_ / "err"}});
    EXPECT_TRUE(WaitUntil([&] { return Connections() > before; }));
    return client;
  }
  [[nodiscard]] bool Replaced() { return GetParam() ? RestartAfterKill9() : Restart(); }
};

TEST_P(Waiters, AreAnsweredByTheNextCrdToo) {
  const auto wait = Connected({"wait", "it"});
  ASSERT_TRUE(Replaced());
  Order("exit 8");
  EXPECT_EQ(wait->Wait(Within(kPatience)), (ExitStatus{.code = 0})) << Slurp(dir_ / "err");
  EXPECT_EQ(Slurp(dir_ / "out"), "8\n");
}

TEST_P(Waiters, OfARestoreExitAsTheTreeDoes) {
  Order("exit 1");
  EXPECT_EQ(Ended().exit().code(), 1);
  std::filesystem::remove(dir_ / "order");
  const auto restore = Connected({"restore", checkpoint_, "--wait"});
  ASSERT_TRUE(WaitUntil([&] { return Slurp(dir_ / "out").size() == 17; }));
  ASSERT_TRUE(Replaced());
  Order("exit 8");
  EXPECT_EQ(restore->Wait(Within(kPatience)), (ExitStatus{.code = 8})) << Slurp(dir_ / "err");
}

TEST_P(Waiters, ForEventsMissNone) {
  const auto follow = Connected({"events", "--follow"});
  // Until it has seen one it may not have begun.
  ASSERT_TRUE(WaitUntil([&] {
    Checkpointed(*victim_, {"--leave-running"});
    return !Slurp(dir_ / "out").empty();
  }));
  ASSERT_TRUE(Replaced());
  Order("exit 8");
  EXPECT_TRUE(WaitUntil([&] {
    return Slurp(dir_ / "out").find(container_ + "  exited") != std::string::npos;
  })) << Slurp(dir_ / "out")
      << Slurp(dir_ / "err");
  EXPECT_TRUE(follow->Runs());
}

INSTANTIATE_TEST_SUITE_P(Crd, Waiters, ::testing::Bool(), [](const auto& tested) {
  return std::string(tested.param ? "Killed" : "Stopped");
});

TEST_F(Containers, ThatCrdDidNotStartAreWatchedToo) {
  Victim victim(reaper_, dir_.path(), "counter");
  ASSERT_TRUE(victim.Started());
  Checkpointed(victim, {"--leave-running"});
  std::string id;
  for (const v1::Container& one : api_->Containers()) {
    if (one.pid() == victim.pid()) id = one.id();
  }
  ASSERT_THAT(id, Not(IsEmpty()));
  victim.Kill();
  // It is no child of crd, and the kernel tells how it ended nevertheless.
  EXPECT_EQ(api_->Wait(id)->exit().signal(), SIGKILL);
}

}  // namespace
}  // namespace crd::testing
