#include <gmock/gmock.h>

#include "tests/unit/store/store_fixture.h"

namespace crd::store {
namespace {

constexpr std::int64_t kKept = 10'000;
// How many more ended operations there may be than are wanted.
constexpr std::int64_t kSlack = 128;

class PruningTest : public StoreTest {};

TEST_F(PruningTest, TheNewestTenThousandEventsStay) {
  Change change;
  change.events.resize(kKept);
  ASSERT_THAT(store().Write(change), testing::IsOk());
  EXPECT_EQ(store().ListEvents(0, 1).value().at(0).sequence, 1);
  change.events.resize(3);
  ASSERT_THAT(store().Write(change), testing::IsOk());
  ASSERT_OK_AND_ASSIGN(const std::vector<EventRow> events, store().ListEvents(0, kKept * 2));
  EXPECT_EQ(events.size(), static_cast<std::size_t>(kKept));
  EXPECT_EQ(events.front().sequence, 4);
  EXPECT_EQ(events.back().sequence, kKept + 3);
  EXPECT_EQ(store().LastEventSequence().value(), kKept + 3);
}

TEST_F(PruningTest, OldEndedOperationsGoAndOthersStay) {
  Change change;
  change.operations.push_back(Operation("running", "r", 0));
  for (std::int64_t i = 1; i <= kKept + 500; ++i) {
    change.operations.push_back(Operation(HexId(static_cast<std::uint64_t>(i)), "", i, i));
  }
  ASSERT_THAT(store().Write(change), testing::IsOk());
  ASSERT_OK_AND_ASSIGN(const std::vector<OperationRow> rows,
                       store().ListOperations({}, kKept * 2, {}));
  ASSERT_EQ(rows.size(), static_cast<std::size_t>(kKept + 1));
  EXPECT_EQ(rows.front().created_us, kKept + 500);
  EXPECT_EQ(rows[kKept - 1].created_us, 501);
  EXPECT_EQ(rows.back().id, "running");
}

TEST_F(PruningTest, SingleOperationsArePrunedBeforeTheyAddUp) {
  Change change;
  for (std::int64_t i = 1; i <= kKept; ++i) {
    change.operations.push_back(Operation(HexId(static_cast<std::uint64_t>(i)), "", i, i));
  }
  ASSERT_THAT(store().Write(change), testing::IsOk());
  for (std::int64_t i = kKept + 1; i <= kKept + kSlack * 2; ++i) {
    ASSERT_THAT(
        store().Write({.operations = {Operation(HexId(static_cast<std::uint64_t>(i)), "", i, i)}}),
        testing::IsOk());
  }
  ASSERT_OK_AND_ASSIGN(const std::vector<OperationRow> rows,
                       store().ListOperations({}, kKept * 2, {"done"}));
  EXPECT_LE(rows.size(), static_cast<std::size_t>(kKept + kSlack));
  EXPECT_GE(rows.size(), static_cast<std::size_t>(kKept));
}

}  // namespace
}  // namespace crd::store
