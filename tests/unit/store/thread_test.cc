#include <atomic>
#include <thread>

#include <gmock/gmock.h>

#include "tests/unit/store/store_fixture.h"

namespace crd::store {
namespace {

class ThreadTest : public StoreTest {};

TEST_F(ThreadTest, ThreadsMayReadAndWriteAtOnce) {
  constexpr std::uint64_t kWriters = 4;
  constexpr std::uint64_t kRounds = 100;
  std::atomic<bool> done = false;
  std::vector<std::thread> writers;
  for (std::uint64_t writer = 0; writer < kWriters; ++writer) {
    writers.emplace_back([this, writer] {
      for (std::uint64_t i = 0; i < kRounds; ++i) {
        const std::string id = HexId(writer * kRounds + i);
        EXPECT_THAT(store().Write({.checkpoints = {Checkpoint(id, "n" + id)},
                                   .containers = {Container(id)},
                                   .events = {EventRow{.id = id}}}),
                    testing::IsOk());
      }
    });
  }
  // A checkpoint and its container come in one change: nobody sees one without the other.
  std::thread reader([this, &done] {
    while (!done) {
      const auto rows = store().ListCheckpoints({}, 10, {});
      ASSERT_THAT(rows, testing::IsOk());
      for (const CheckpointRow& row : rows.value()) {
        EXPECT_NE(store().GetContainer(row.id).value(), std::nullopt);
      }
    }
  });
  for (std::thread& writer : writers) writer.join();
  done = true;
  reader.join();
  EXPECT_EQ(store().CountCheckpoints({"ready"}).value(), kWriters * kRounds);
  EXPECT_EQ(store().LastEventSequence().value(), kWriters * kRounds);
}

TEST_F(ThreadTest, OfManyWhoWantANameOneGetsIt) {
  std::atomic<int> winners = 0;
  std::vector<std::thread> threads;
  for (std::uint64_t i = 0; i < 8; ++i) {
    threads.emplace_back([this, i, &winners] {
      const auto written = store().Write({.checkpoints = {Checkpoint(HexId(i), "web")}});
      if (written.ok()) {
        ++winners;
      } else {
        EXPECT_EQ(written.error().reason, "NAME_TAKEN");
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(winners, 1);
}

}  // namespace
}  // namespace crd::store
