// What a restore refuses, before anything is created, and what it waits for.
#include <csignal>
#include <filesystem>
#include <fstream>
#include <future>
#include <string>
#include <vector>

#include <linux/sched.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include "tests/integration/support/integration_test.h"

namespace crd::testing {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;

class RestoreRefusals : public IntegrationTest {
 protected:
  // A process with this pid, which is free now. Ends with the test.
  pid_t TakePid(pid_t pid) {
    return reaper_.Start([&] {
      clone_args arguments{};
      arguments.set_tid = reinterpret_cast<std::uintptr_t>(&pid);
      arguments.set_tid_size = 1;
      arguments.exit_signal = SIGCHLD;
      const auto child = static_cast<pid_t>(::syscall(SYS_clone3, &arguments, sizeof arguments));
      if (child == 0) {
        ::prctl(PR_SET_NAME, "squatter");
        ::prctl(PR_SET_PDEATHSIG, SIGKILL);
        for (;;) ::pause();
      }
      return child;
    });
  }
  void ExpectNothingStarted(const Victim& victim) {
    EXPECT_TRUE(victim.Gone());
    EXPECT_THAT(api_->Containers(), IsEmpty());
    EXPECT_THAT(crd_.CgroupPids(), IsEmpty());
    EXPECT_THAT(FilesIn(crd_.state() + "/containers"), IsEmpty());
  }
};

// Pids --------------------------------------------------------------------------------------------

TEST_F(RestoreRefusals, NameTheProgramThatHasThePid) {
  Victim victim(reaper_, dir_.path(), "tree", {.arguments = {"3"}});
  ASSERT_TRUE(victim.Started());
  const std::string checkpoint = Checkpointed(victim);
  const pid_t squatter = TakePid(victim.pid());
  ASSERT_EQ(squatter, victim.pid());
  EXPECT_THAT(api_->Restore(RestoreOf(checkpoint)), FailsBecause("PID_TAKEN"));
  EXPECT_TRUE(Refused(crctl_({"restore", checkpoint}),
                      "pid " + victim.PidText() + " is taken by 'squatter'"));
  const Outcome check = crctl_({"check", checkpoint});
  EXPECT_EQ(check.exit, 1);
  EXPECT_THAT(check.out, HasSubstr("squatter"));
  ExpectNothingStarted(victim);
  ::kill(squatter, SIGKILL);
  EXPECT_TRUE(reaper_.Wait(squatter, Within(kPatience)).has_value());
  const auto counts = victim.Counts();
  Restored(checkpoint);
  EXPECT_TRUE(victim.GoesOnFrom(counts));
}

TEST_F(RestoreRefusals, SayThatTheTreeStillRuns) {
  Victim victim(reaper_, dir_.path(), "counter");
  ASSERT_TRUE(victim.Started());
  const std::string checkpoint = Checkpointed(victim, {"--leave-running"});
  EXPECT_THAT(api_->Restore(RestoreOf(checkpoint)), FailsBecause("TREE_STILL_RUNS"));
  EXPECT_TRUE(Refused(crctl_({"restore", checkpoint}), "still runs"));
  EXPECT_TRUE(victim.GoesOn());
}

TEST_F(RestoreRefusals, SayThatWhatWasRestoredStillRuns) {
  Victim victim(reaper_, dir_.path(), "counter");
  ASSERT_TRUE(victim.Started());
  const std::string checkpoint = Checkpointed(victim);
  Restored(checkpoint);
  EXPECT_TRUE(Refused(crctl_({"restore", checkpoint}), victim.PidText()));
  EXPECT_TRUE(victim.GoesOn());
  EXPECT_EQ(api_->Containers().size(), 1U);
}

// A victim whose parent reaps it when it is told to.
class SlowReaper : public RestoreRefusals {
 protected:
  [[nodiscard]] pid_t child() const { return static_cast<pid_t>(holder_.Value(0)); }
  std::string CheckpointChild() {
    const Outcome made = crctl_({"checkpoint", "--pid", std::to_string(child())});
    EXPECT_EQ(made.exit, 0) << ::testing::PrintToString(made);
    EXPECT_EQ(StateOf(child()), 'Z');
    return made.Line();
  }
  Victim& holder_ = NewVictim("holder", {.arguments = {dir_ / "reap", "counter"}});
};

TEST_F(SlowReaper, IsWaitedFor) {
  ASSERT_TRUE(holder_.Started());
  const std::string checkpoint = CheckpointChild();
  auto restore = Begin(RestoreOf(checkpoint));
  // It has begun, and waits.
  EXPECT_TRUE(WaitUntil([&] { return !api_->Operations().empty(); }));
  EXPECT_EQ(restore.wait_for(std::chrono::milliseconds(300)), std::future_status::timeout);
  Spill(dir_ / "reap", "now");
  const auto restored = restore.get();
  EXPECT_THAT(restored, Worked());
  EXPECT_EQ(restored->pid(), child());
  EXPECT_EQ(ParentOf(child()), crd_.pid());
}

TEST_F(SlowReaper, IsNamedWhenItIsTooSlow) {
  ASSERT_TRUE(holder_.Started());
  const std::string checkpoint = CheckpointChild();
  v1::RestoreRequest request = RestoreOf(checkpoint);
  request.set_timeout_us(300'000);
  const auto restore = api_->Restore(request);
  EXPECT_THAT(restore, FailsBecause("PID_STILL_ZOMBIE"));
  EXPECT_THAT(restore.error.message(), HasSubstr(holder_.PidText()));
  EXPECT_EQ(api_->GetCheckpoint(checkpoint)->state(), v1::CHECKPOINT_STATE_READY);
}

// Images ------------------------------------------------------------------------------------------

struct Damage {
  std::string name;
  void (*apply)(const std::string& path);
};

void PrintTo(const Damage& damage, std::ostream* out) { *out << damage.name; }

void FlipABit(const std::string& path) {
  std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
  const auto middle = static_cast<std::streamoff>(std::filesystem::file_size(path) / 2);
  file.seekg(middle);
  const int byte = file.get();
  file.seekp(middle);
  file.put(static_cast<char>(byte ^ 1));
}

void CutInHalf(const std::string& path) {
  std::filesystem::resize_file(path, std::filesystem::file_size(path) / 2);
}

void Empty(const std::string& path) { std::filesystem::resize_file(path, 0); }

void Remove(const std::string& path) { std::filesystem::remove(path); }

void ReplaceByALink(const std::string& path) {
  std::filesystem::rename(path, path + ".away");
  std::filesystem::create_symlink(path + ".away", path);
}

class DamagedImages : public RestoreRefusals, public ::testing::WithParamInterface<Damage> {};

// Each file of a checkpoint in turn is damaged, in a checkpoint of its own.
TEST_P(DamagedImages, AreNamedAndNothingIsStarted) {
  Victim victim(reaper_, dir_.path(), "pipes");
  ASSERT_TRUE(victim.Started());
  const std::string last = Checkpointed(victim, {"--leave-running"});
  const std::vector<std::string> files = FilesIn(ImagesOf(last));
  ASSERT_GT(files.size(), 8U);
  std::vector<std::pair<std::string, std::string>> damaged;
  for (const std::string& file : files) {
    const std::string checkpoint = Checkpointed(victim, {"--leave-running"});
    GetParam().apply(ImagesOf(checkpoint) + "/" + file);
    damaged.emplace_back(checkpoint, file);
  }
  victim.Kill();
  EXPECT_TRUE(WaitUntil([&] { return api_->Containers().empty(); }));
  for (const auto& [checkpoint, file] : damaged) {
    const auto restore = api_->Restore(RestoreOf(checkpoint));
    EXPECT_THAT(restore, FailsBecause("IMAGES_DAMAGED")) << file;
    EXPECT_THAT(restore.error.message(), HasSubstr(file));
    const auto record = api_->GetCheckpoint(checkpoint);
    EXPECT_EQ(record->state(), v1::CHECKPOINT_STATE_DAMAGED);
    EXPECT_THAT(record->problem(), HasSubstr(file));
    EXPECT_TRUE(victim.Gone());
  }
  EXPECT_THAT(api_->Containers(), IsEmpty());
  EXPECT_THAT(crd_.CgroupPids(), IsEmpty());
  Restored(last);
  EXPECT_TRUE(victim.GoesOn());
}

INSTANTIATE_TEST_SUITE_P(All, DamagedImages,
                         ::testing::Values(Damage{"AFlippedBit", FlipABit},
                                           Damage{"CutInHalf", CutInHalf}, Damage{"Empty", Empty},
                                           Damage{"Removed", Remove},
                                           Damage{"ReplacedByALink", ReplaceByALink}),
                         [](const auto& tested) { return tested.param.name; });

TEST_F(RestoreRefusals, NameAManifestThatWasChanged) {
  Victim victim(reaper_, dir_.path(), "counter");
  ASSERT_TRUE(victim.Started());
  const std::string checkpoint = Checkpointed(victim);
  FlipABit(crd_.state() + "/checkpoints/" + checkpoint + "/manifest.json");
  const auto restore = api_->Restore(RestoreOf(checkpoint));
  EXPECT_THAT(restore, FailsBecause("IMAGES_DAMAGED"));
  EXPECT_THAT(restore.error.message(), HasSubstr("manifest.json"));
  EXPECT_EQ(api_->GetCheckpoint(checkpoint)->state(), v1::CHECKPOINT_STATE_DAMAGED);
  ExpectNothingStarted(victim);
}

TEST_F(RestoreRefusals, SayThatTheImagesWereDeletedByHand) {
  Victim victim(reaper_, dir_.path(), "counter");
  ASSERT_TRUE(victim.Started());
  const std::string checkpoint = Checkpointed(victim);
  std::filesystem::remove_all(crd_.state() + "/checkpoints/" + checkpoint);
  EXPECT_TRUE(Refused(crctl_({"restore", checkpoint}), "damaged"));
  EXPECT_EQ(api_->GetCheckpoint(checkpoint)->state(), v1::CHECKPOINT_STATE_DAMAGED);
  ExpectNothingStarted(victim);
  EXPECT_EQ(crctl_({"rm", checkpoint}).exit, 0);
  EXPECT_THAT(api_->Checkpoints(/*all=*/true), IsEmpty());
}

TEST_F(RestoreRefusals, KnowFromTheListThatImagesWereDeletedByHand) {
  Victim victim(reaper_, dir_.path(), "counter");
  ASSERT_TRUE(victim.Started());
  const std::string kept = Checkpointed(victim, {"--leave-running"});
  const std::string deleted = Checkpointed(victim);
  std::filesystem::remove_all(crd_.state() + "/checkpoints/" + deleted);
  const auto list = crctl_.Json({"list"})["checkpoints"];
  ASSERT_EQ(list.size(), 2U);
  EXPECT_EQ(list[0].value("id", ""), deleted);
  EXPECT_EQ(list[0].value("state", ""), "CHECKPOINT_STATE_DAMAGED");
  EXPECT_THAT(list[0].value("problem", ""), HasSubstr("manifest.json"));
  EXPECT_EQ(list[1].value("state", ""), "CHECKPOINT_STATE_READY");
  EXPECT_THAT(crctl_({"events"}).out, HasSubstr(deleted + "  damaged"));
  EXPECT_TRUE(Refused(crctl_({"restore", deleted}), "damaged"));
}

TEST_F(RestoreRefusals, OfADamagedCheckpointSaySoTheNextTimeToo) {
  Victim victim(reaper_, dir_.path(), "counter");
  ASSERT_TRUE(victim.Started());
  const std::string checkpoint = Checkpointed(victim);
  Empty(ImagesOf(checkpoint) + "/pages-1.img");
  EXPECT_EQ(crctl_({"verify", checkpoint}).exit, 1);
  EXPECT_TRUE(Refused(crctl_({"restore", checkpoint}), "pages-1.img"));
  EXPECT_THAT(crctl_({"list"}).out, HasSubstr("damaged"));
  ExpectNothingStarted(victim);
}

TEST_F(RestoreRefusals, NameAFileOfTheTreeThatHasGone) {
  Victim victim(reaper_, dir_.path(), "writer", {.out = {.path = dir_ / "output"}});
  ASSERT_TRUE(victim.Started());
  const std::string checkpoint = Checkpointed(victim);
  std::filesystem::rename(dir_ / "output", dir_ / "moved");
  const auto restore = api_->Restore(RestoreOf(checkpoint));
  EXPECT_FALSE(restore.ok());
  EXPECT_THAT(restore.error.message(), HasSubstr((dir_ / "output").substr(1)));
  ExpectNothingStarted(victim);
  std::filesystem::rename(dir_ / "moved", dir_ / "output");
  const auto counts = victim.Counts();
  Restored(checkpoint);
  EXPECT_TRUE(victim.GoesOnFrom(counts));
}

}  // namespace
}  // namespace crd::testing
