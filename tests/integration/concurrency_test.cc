// Many things at once: one wins, the others are told so, and different trees go in parallel.
#include <algorithm>
#include <future>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "tests/integration/support/integration_test.h"

namespace crd::testing {
namespace {

using ::testing::AnyOf;
using ::testing::IsEmpty;

class Concurrency : public IntegrationTest {
 protected:
  // Calls that are made at once, each on a connection of its own.
  template <typename Message>
  std::vector<Answer<Message>> AtOnce(
      const std::vector<std::function<Answer<Message>(Api&)>>& calls) {
    std::vector<std::future<Answer<Message>>> futures;
    for (const auto& call : calls) {
      futures.push_back(std::async(std::launch::async, [&] {
        Api api(crd_.socket());
        return call(api);
      }));
    }
    std::vector<Answer<Message>> answers;
    for (auto& future : futures) answers.push_back(future.get());
    return answers;
  }
  template <typename Message>
  static std::size_t Successes(const std::vector<Answer<Message>>& answers) {
    return static_cast<std::size_t>(
        std::count_if(answers.begin(), answers.end(), [](const auto& one) { return one.ok(); }));
  }
  using Call = std::function<Answer<v1::Checkpoint>(Api&)>;
  static Call Checkpointing(v1::CheckpointRequest request) {
    return [request = std::move(request)](Api& api) { return api.Checkpoint(request); };
  }
};

TEST_F(Concurrency, OfTwoCheckpointsOfOneTreeOneIsRefused) {
  Victim victim(reaper_, dir_.path(), "memory", {.arguments = {"64"}});
  ASSERT_TRUE(victim.Started());
  const auto answers =
      AtOnce<v1::Checkpoint>(std::vector<Call>(5, Checkpointing(CheckpointOf(victim))));
  EXPECT_EQ(Successes(answers), 1U);
  for (const auto& answer : answers) {
    if (answer.ok()) continue;
    // The tree is busy, or has ended by then.
    EXPECT_THAT(answer.error.reason(), AnyOf("TREE_BUSY", "NO_SUCH_PROCESS", "ZOMBIE"));
  }
  EXPECT_EQ(api_->Checkpoints().size(), 1U);
  ExpectNothingWasLost(victim);
}

TEST_F(Concurrency, OfTwoCheckpointsWithOneNameOneIsRefused) {
  std::vector<std::unique_ptr<Victim>> victims;
  std::vector<Call> calls;
  for (const char* mode : {"counter", "tree", "threads"}) {
    victims.push_back(std::make_unique<Victim>(reaper_, dir_.path(), mode));
    ASSERT_TRUE(victims.back()->Started());
    v1::CheckpointRequest request = CheckpointOf(*victims.back());
    request.set_name("same");
    calls.push_back(Checkpointing(request));
  }
  const auto answers = AtOnce<v1::Checkpoint>(calls);
  EXPECT_EQ(Successes(answers), 1U);
  for (std::size_t i = 0; i < answers.size(); ++i) {
    if (answers[i].ok()) continue;
    EXPECT_EQ(answers[i].status.error_code(), grpc::StatusCode::ALREADY_EXISTS);
    EXPECT_TRUE(victims[i]->GoesOn());
  }
}

TEST_F(Concurrency, TwentyTreesGoThroughAtOnce) {
  constexpr int kTrees = 20;
  std::vector<std::unique_ptr<Victim>> victims;
  std::vector<Call> checkpoints;
  for (int i = 0; i < kTrees; ++i) {
    const std::string directory = dir_ / std::to_string(i);
    std::filesystem::create_directory(directory);
    victims.push_back(std::make_unique<Victim>(reaper_, directory, "pipes"));
    ASSERT_TRUE(victims.back()->Started());
    checkpoints.push_back(Checkpointing(CheckpointOf(*victims.back())));
  }
  const auto made = AtOnce<v1::Checkpoint>(checkpoints);
  ASSERT_EQ(Successes(made), static_cast<std::size_t>(kTrees));
  std::vector<std::vector<std::uint64_t>> counts;
  std::vector<std::function<Answer<v1::Container>(Api&)>> restores;
  for (int i = 0; i < kTrees; ++i) {
    counts.push_back(victims[static_cast<std::size_t>(i)]->Counts());
    restores.emplace_back([id = made[static_cast<std::size_t>(i)]->id()](Api& api) {
      return api.Restore(RestoreOf(id));
    });
  }
  const auto restored = AtOnce<v1::Container>(restores);
  for (const auto& answer : restored) EXPECT_THAT(answer, Worked());
  for (std::size_t i = 0; i < victims.size(); ++i) EXPECT_TRUE(victims[i]->GoesOnFrom(counts[i]));
}

TEST_F(Concurrency, OneRequestIdGivesOneResult) {
  Victim victim(reaper_, dir_.path(), "memory", {.arguments = {"64"}});
  ASSERT_TRUE(victim.Started());
  v1::CheckpointRequest request = CheckpointOf(victim);
  request.set_request_id("the same");
  const auto answers = AtOnce<v1::Checkpoint>(std::vector<Call>(6, Checkpointing(request)));
  std::set<std::string> ids;
  for (const auto& answer : answers) {
    EXPECT_THAT(answer, Worked());
    ids.insert(answer->id());
  }
  EXPECT_EQ(ids.size(), 1U);
  EXPECT_EQ(api_->Checkpoints().size(), 1U);
  // Also much later, and of another crd.
  ASSERT_TRUE(RestartAfterKill9());
  EXPECT_EQ(api_->Checkpoint(request)->id(), *ids.begin());
}

TEST_F(Concurrency, OneRequestIdRestoresOnce) {
  Victim victim(reaper_, dir_.path(), "counter");
  ASSERT_TRUE(victim.Started());
  v1::RestoreRequest request = RestoreOf(Checkpointed(victim));
  request.set_request_id("the same");
  const auto answers =
      AtOnce<v1::Container>(std::vector<std::function<Answer<v1::Container>(Api&)>>(
          4, [&](Api& api) { return api.Restore(request); }));
  for (const auto& answer : answers) {
    EXPECT_THAT(answer, Worked());
    EXPECT_EQ(answer->id(), answers.front()->id());
  }
  EXPECT_EQ(api_->Containers().size(), 1U);
}

TEST_F(Concurrency, OfTwoRestoresOfOneCheckpointOneIsRefused) {
  Victim victim(reaper_, dir_.path(), "counter");
  ASSERT_TRUE(victim.Started());
  const std::string checkpoint = Checkpointed(victim);
  const auto counts = victim.Counts();
  const auto answers =
      AtOnce<v1::Container>(std::vector<std::function<Answer<v1::Container>(Api&)>>(
          4, [&](Api& api) { return api.Restore(RestoreOf(checkpoint)); }));
  EXPECT_EQ(Successes(answers), 1U);
  for (const auto& answer : answers) {
    if (answer.ok()) continue;
    EXPECT_THAT(answer.error.reason(), AnyOf("TREE_BUSY", "PID_TAKEN", "TREE_STILL_RUNS"));
  }
  EXPECT_TRUE(victim.GoesOnFrom(counts));
  EXPECT_EQ(api_->Containers().size(), 1U);
}

TEST_F(Concurrency, ACheckpointInUseIsNotRemoved) {
  Victim victim(reaper_, dir_.path(), "memory", {.arguments = {"256"}});
  ASSERT_TRUE(victim.Started());
  const std::string checkpoint = Checkpointed(victim);
  const auto counts = victim.Counts();
  Answer<v1::DeleteResponse> removed;
  bool asked = false;
  auto restore = Begin(RestoreOf(checkpoint));
  Api other(crd_.socket());
  EXPECT_TRUE(WaitUntil([&] {
    for (const v1::Operation& operation : other.Operations()) {
      if (operation.stage() != "restore") continue;
      removed = other.Delete(checkpoint);
      asked = true;
    }
    return asked;
  }));
  EXPECT_THAT(removed, FailsBecause("CHECKPOINT_IN_USE"));
  EXPECT_THAT(restore.get(), Worked());
  EXPECT_TRUE(victim.GoesOnFrom(counts));
  EXPECT_THAT(api_->Delete(checkpoint), Worked());
}

TEST_F(Concurrency, ListsAnswerWhileOperationsRun) {
  Victim victim(reaper_, dir_.path(), "memory", {.arguments = {"192"}});
  ASSERT_TRUE(victim.Started());
  auto call = Begin(CheckpointOf(victim));
  Api other(crd_.socket());
  ASSERT_TRUE(WaitUntil([&] { return !other.Operations().empty(); }));
  const v1::Operation seen = other.Operations().front();
  EXPECT_EQ(seen.state(), v1::OPERATION_STATE_RUNNING);
  EXPECT_EQ(seen.kind(), v1::OPERATION_KIND_CHECKPOINT);
  EXPECT_THAT(call.get(), Worked());
  EXPECT_EQ(other.GetOperation(seen.id())->state(), v1::OPERATION_STATE_SUCCEEDED);
}

TEST_F(Concurrency, ProgressIsToldWhileItGoesOn) {
  Victim victim(reaper_, dir_.path(), "memory", {.arguments = {"256"}});
  ASSERT_TRUE(victim.Started());
  std::vector<std::uint64_t> bytes;
  std::set<std::string> stages;
  const auto answer = api_->Checkpoint(CheckpointOf(victim), [&](const v1::Progress& progress) {
    bytes.push_back(progress.done_bytes());
    stages.insert(progress.stage());
    return true;
  });
  EXPECT_THAT(answer, Worked());
  EXPECT_TRUE(std::is_sorted(bytes.begin(), bytes.end()));
  ASSERT_FALSE(bytes.empty());
  EXPECT_GT(bytes.back(), 0U);
  EXPECT_TRUE(stages.count("dump") == 1 || stages.count("commit") == 1);
}

}  // namespace
}  // namespace crd::testing
