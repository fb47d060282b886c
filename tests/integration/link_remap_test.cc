// A file whose opened name is deleted while it has others: the names that are made for it beside
// the deleted one are there when a restore needs them, and gone with the checkpoint.
#include <algorithm>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "tests/integration/support/stopping_criu.h"

namespace crd::testing {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

class LinkRemap : public WithStoppingCriu {
 protected:
  void SetUp() override {
    std::filesystem::create_directory(files_);
    IntegrationTest::SetUp();
  }
  void TearDown() override {
    victims_.clear();
    IntegrationTest::TearDown();
  }
  CrdDaemon::Options DaemonOptions() override {
    CrdDaemon::Options options = WithStoppingCriu::DaemonOptions();
    if (fault_.has_value()) options.environment = {"CRIU_FAULT=" + std::to_string(*fault_)};
    return options;
  }

  Victim& NewVictimIn(const std::string& directory, std::vector<std::string> arguments = {}) {
    Victim::Options options;
    options.arguments = std::move(arguments);
    victims_.push_back(std::make_unique<Victim>(reaper_, directory, "link-remap", options));
    return *victims_.back();
  }
  [[nodiscard]] std::vector<std::string> Files() const { return FilesIn(files_); }
  [[nodiscard]] bool CriuHasMadeItsName() const {
    const auto names = Files();
    return std::any_of(names.begin(), names.end(),
                       [](const std::string& name) { return name.starts_with("link_remap."); });
  }
  static v1::CheckpointRequest LinkRemapOf(const Victim& victim) {
    v1::CheckpointRequest request = CheckpointOf(victim);
    request.mutable_options()->set_link_remap(true);
    return request;
  }
  // The one name that crd has made for a checkpoint.
  [[nodiscard]] std::string KeptName() const {
    for (const std::string& name : Files()) {
      if (name.starts_with(".link_remap.")) return name;
    }
    return {};
  }

  const std::string files_ = dir_ / "files";
  std::optional<int> fault_;

 private:
  std::vector<std::unique_ptr<Victim>> victims_;
};

TEST_F(LinkRemap, CheckpointsWithTheSameNamesOfCriusDoNotMeet) {
  Victim& one = NewVictimIn(files_);
  ASSERT_TRUE(one.Started());
  const auto before = Files();
  const std::string first = Checkpointed(one, {"--link-remap", "--leave-running"});
  const std::string second = Checkpointed(one, {"--link-remap"});
  EXPECT_THAT(Files(), Not(Contains(StartsWith("link_remap."))));
  for (const std::string& checkpoint : {second, first, second}) {
    const std::string container = Restored(checkpoint);
    EXPECT_TRUE(one.GoesOn());
    one.Kill();
    EXPECT_THAT(api_->Wait(container), Worked());
  }
  EXPECT_EQ(crctl_({"rm", first}).exit, 0);
  Restored(second);
  EXPECT_TRUE(one.GoesOn());
  EXPECT_EQ(crctl_({"rm", second}).exit, 0);
  EXPECT_EQ(Files(), before);
}

TEST_F(LinkRemap, CriuThatIsKilledLeavesNoNames) {
  Victim& victim = NewVictimIn(files_);
  ASSERT_TRUE(victim.Started());
  const auto before = Files();
  ASSERT_TRUE(RestartWithCriuThatStopsBehind("pages begun"));
  auto call = Begin(LinkRemapOf(victim));
  const pid_t criu = AwaitStoppedCriu([&] { return Ready(call); });
  ASSERT_GT(criu, 0);
  EXPECT_TRUE(CriuHasMadeItsName());
  SignalPid(criu, SIGKILL);
  EXPECT_FALSE(call.get().ok());
  EXPECT_EQ(Files(), before);
  EXPECT_TRUE(victim.GoesOn());
  ExpectNothingWasLost(victim, {"--link-remap"});
}

TEST_F(LinkRemap, CrdThatIsKilledTogetherWithItsCriuLeavesNoNames) {
  Victim& victim = NewVictimIn(files_);
  ASSERT_TRUE(victim.Started());
  const auto before = Files();
  ASSERT_TRUE(RestartWithCriuThatStopsBehind("pages begun"));
  auto call = Begin(LinkRemapOf(victim));
  ASSERT_GT(AwaitStoppedCriu([&] { return Ready(call); }), 0);
  EXPECT_TRUE(CriuHasMadeItsName());
  ASSERT_TRUE(RestartAfterKill9());
  EXPECT_FALSE(call.get().ok());
  EXPECT_EQ(Files(), before);
  ExpectNothingWasLost(victim, {"--link-remap"});
}

// Point 6 is after CRIU has restored everything, before crd hears of it.
TEST_F(LinkRemap, ARestoreThatFailsLeavesNoNamesAndTheNextOneWorks) {
  Victim& victim = NewVictimIn(files_);
  ASSERT_TRUE(victim.Started());
  const std::string checkpoint = Checkpointed(victim, {"--link-remap"});
  const auto between = Files();
  const auto counts = victim.Counts();
  fault_ = 6;
  ASSERT_TRUE(Restart());
  EXPECT_FALSE(api_->Restore(RestoreOf(checkpoint)).ok());
  EXPECT_EQ(Files(), between);
  fault_.reset();
  ASSERT_TRUE(Restart());
  Restored(checkpoint);
  EXPECT_TRUE(victim.GoesOnFrom(counts));
}

TEST_F(LinkRemap, CrdThatIsKilledInARestoreLeavesNoNames) {
  Victim& victim = NewVictimIn(files_);
  ASSERT_TRUE(victim.Started());
  const std::string checkpoint = Checkpointed(victim, {"--link-remap"});
  const auto between = Files();
  const auto counts = victim.Counts();
  ASSERT_TRUE(RestartWithCriuThatStopsBehind("started"));
  auto call = Begin(RestoreOf(checkpoint));
  ASSERT_GT(AwaitStoppedCriu([&] { return Ready(call); }), 0);
  EXPECT_TRUE(CriuHasMadeItsName());
  ASSERT_TRUE(RestartAfterKill9());
  EXPECT_FALSE(call.get().ok());
  EXPECT_EQ(Files(), between);
  Restored(checkpoint);
  EXPECT_TRUE(victim.GoesOnFrom(counts));
}

TEST_F(LinkRemap, CheckpointWhoseNameIsGoneIsDamaged) {
  Victim& victim = NewVictimIn(files_);
  ASSERT_TRUE(victim.Started());
  const std::string checkpoint = Checkpointed(victim, {"--link-remap"});
  const std::string kept = files_ + "/" + KeptName();
  std::filesystem::rename(kept, dir_ / "away");
  std::ofstream(kept) << "another file";
  const auto restore = api_->Restore(RestoreOf(checkpoint));
  EXPECT_THAT(restore, FailsBecause("IMAGES_DAMAGED"));
  EXPECT_THAT(restore.error.message(), HasSubstr(kept));
  EXPECT_TRUE(victim.Gone());
}

TEST_F(LinkRemap, NameThatAnotherFileHasIsNotTakenFromIt) {
  Victim& victim = NewVictimIn(files_);
  ASSERT_TRUE(victim.Started());
  const std::string checkpoint = Checkpointed(victim, {"--link-remap"});
  const auto counts = victim.Counts();
  // ".link_remap.11.crd-…"
  const std::string kept = KeptName();
  const std::string path = files_ + "/" + kept.substr(1, kept.find(".crd-") - 1);
  std::ofstream(path) << "mine";
  const auto restore = api_->Restore(RestoreOf(checkpoint));
  EXPECT_THAT(restore, FailsBecause("LINK_REMAP_TAKEN"));
  EXPECT_THAT(restore.error.message(), HasSubstr(path));
  EXPECT_TRUE(std::filesystem::exists(path));
  std::filesystem::remove(path);
  Restored(checkpoint);
  EXPECT_TRUE(victim.GoesOnFrom(counts));
}

}  // namespace
}  // namespace crd::testing
