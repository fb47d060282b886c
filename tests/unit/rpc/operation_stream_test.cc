#include "daemon/rpc/operation_stream.h"

#include <atomic>
#include <chrono>
#include <mutex>
#include <thread>
#include <vector>

#include "tests/support/result_matchers.h"

namespace crd::rpc {
namespace {

using crd::testing::FailsWith;
using crd::testing::IsOk;
using crd::testing::Refuses;

OperationRecord Running() {
  return {.id = OperationId("o1"), .kind = OperationKind::kCheckpoint, .stage = "queued"};
}

OperationRecord Succeeded() {
  OperationRecord record = Running();
  record.state = OperationState::kSucceeded;
  record.checkpoint_id = CheckpointId("c1");
  return record;
}

// Takes progress like a client, and can leave like one.
class Client {
 public:
  bool Left() const { return left_; }
  bool Take(const v1::Progress& progress) {
    const std::lock_guard lock(mutex_);
    taken_.push_back(progress);
    times_.push_back(SteadyClock::now());
    return takes_;
  }
  void Leave() { left_ = true; }
  void RefuseProgress() { takes_ = false; }
  std::vector<v1::Progress> taken() const {
    const std::lock_guard lock(mutex_);
    return taken_;
  }
  std::vector<SteadyClock::time_point> times() const {
    const std::lock_guard lock(mutex_);
    return times_;
  }
  // False after 10 s.
  bool AwaitTaken(std::size_t count) const {
    const Deadline deadline = SteadyClock::now() + std::chrono::seconds(10);
    while (taken().size() < count && SteadyClock::now() < deadline) {
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    return taken().size() >= count;
  }
  Result<OperationRecord> Follow(Operation& operation) {
    return FollowOperation(
        operation, [this] { return Left(); },
        [this](const v1::Progress& progress) { return Take(progress); });
  }

 private:
  mutable std::mutex mutex_;
  std::vector<v1::Progress> taken_;
  std::vector<SteadyClock::time_point> times_;
  std::atomic<bool> left_ = false;
  std::atomic<bool> takes_ = true;
};

// Ends the operation when the test does, however it does.
class Follower {
 public:
  Follower(Operation& operation, Client& client)
      : operation_(operation), thread_([&] { result_ = client.Follow(operation); }) {}
  ~Follower() {
    if (!thread_.joinable()) return;
    operation_.End(Succeeded());
    thread_.join();
  }
  Result<OperationRecord> Finish() {
    thread_.join();
    return result_;
  }

 private:
  Operation& operation_;
  Result<OperationRecord> result_ = Error{};
  std::thread thread_;
};

TEST(OperationStreamTest, OneThatEndedBeforeIsAnsweredWithoutProgress) {
  Operation operation(Succeeded());
  Client client;
  ASSERT_OK_AND_ASSIGN(const OperationRecord record, client.Follow(operation));
  EXPECT_EQ(record.checkpoint_id, CheckpointId("c1"));
  EXPECT_TRUE(client.taken().empty());
}

TEST(OperationStreamTest, OneThatFailedIsItsError) {
  OperationRecord record = Running();
  record.state = OperationState::kFailed;
  record.error = {.code = Code::kAborted, .reason = "TREE_BUSY", .message = "busy"};
  Operation operation(record);
  Client client;
  EXPECT_THAT(client.Follow(operation), Refuses("TREE_BUSY"));
}

TEST(OperationStreamTest, OneThatEndsAtOnceShowsNoProgress) {
  Operation operation(Running(), kNoDeadline);
  Client client;
  Follower follower(operation, client);
  operation.Enter("dump");
  operation.End(Succeeded());
  EXPECT_THAT(follower.Finish(), IsOk());
  EXPECT_TRUE(client.taken().empty());
}

TEST(OperationStreamTest, ProgressIsShownOnceAsLongAsNothingChanges) {
  Operation operation(Running(), kNoDeadline);
  Client client;
  Follower follower(operation, client);
  operation.Enter("dump");
  operation.ReportBytes(5, 10);
  ASSERT_TRUE(client.AwaitTaken(1));
  EXPECT_EQ(client.taken()[0].operation_id(), "o1");
  EXPECT_EQ(client.taken()[0].stage(), "dump");
  EXPECT_EQ(client.taken()[0].done_bytes(), 5U);
  EXPECT_EQ(client.taken()[0].total_bytes(), 10U);
  EXPECT_GE(client.taken()[0].elapsed_us(), 100'000);
  // Several ticks pass without anything new.
  operation.WaitBeyond(~std::uint64_t{0}, std::chrono::milliseconds(200));
  EXPECT_EQ(client.taken().size(), 1U);
  operation.Enter("commit");
  ASSERT_TRUE(client.AwaitTaken(2));
  EXPECT_EQ(client.taken()[1].stage(), "commit");
}

TEST(OperationStreamTest, ProgressComesAtMostEvery50Milliseconds) {
  Operation operation(Running(), kNoDeadline);
  Client client;
  Follower follower(operation, client);
  const auto end = SteadyClock::now() + std::chrono::milliseconds(400);
  for (std::uint64_t done = 0; SteadyClock::now() < end; ++done) operation.ReportBytes(done, 0);
  operation.End(Succeeded());
  ASSERT_THAT(follower.Finish(), IsOk());
  const auto times = client.times();
  for (std::size_t i = 1; i < times.size(); ++i) {
    EXPECT_GE(times[i] - times[i - 1], std::chrono::milliseconds(45));
  }
}

TEST(OperationStreamTest, ClientThatLeavesTakesTheOperationWithIt) {
  Operation operation(Running(), kNoDeadline);
  Client client;
  Follower follower(operation, client);
  client.Leave();
  EXPECT_THAT(follower.Finish(), FailsWith(Code::kCancelled));
  EXPECT_TRUE(operation.cancel().cancelled());
}

TEST(OperationStreamTest, ClientThatTakesNoProgressHasLeft) {
  Operation operation(Running(), kNoDeadline);
  Client client;
  client.RefuseProgress();
  Follower follower(operation, client);
  EXPECT_THAT(follower.Finish(), FailsWith(Code::kCancelled));
  EXPECT_TRUE(operation.cancel().cancelled());
}

TEST(OperationStreamTest, AsLongAsOneClientStaysTheOperationGoesOn) {
  Operation operation(Running(), kNoDeadline);
  Client stays;
  Client leaves;
  Follower first(operation, stays);
  ASSERT_TRUE(stays.AwaitTaken(1)) << "it watches";
  Follower second(operation, leaves);
  leaves.Leave();
  EXPECT_THAT(second.Finish(), FailsWith(Code::kCancelled));
  EXPECT_FALSE(operation.cancel().cancelled());
  operation.End(Succeeded());
  EXPECT_THAT(first.Finish(), IsOk());
}

}  // namespace
}  // namespace crd::rpc
