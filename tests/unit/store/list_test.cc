#include <algorithm>

#include <gmock/gmock.h>

#include "store/checkpoint_table.h"
#include "store/container_table.h"
#include "store/operation_table.h"
#include "tests/unit/store/raw_database.h"
#include "tests/unit/store/store_fixture.h"

namespace crd::store {
namespace {

using ::testing::Contains;
using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;

class ListTest : public StoreTest {};

std::vector<CheckpointRow> ListInPages(Store& store, const std::vector<std::string>& states) {
  std::vector<CheckpointRow> joined;
  Cursor cursor;
  for (;;) {
    const std::vector<CheckpointRow> page = store.ListCheckpoints(cursor, 7, states).value();
    if (page.empty()) return joined;
    joined.insert(joined.end(), page.begin(), page.end());
    cursor = {.created_us = page.back().created_us, .id = page.back().id};
  }
}

TEST_F(ListTest, ListsRunFromTheNewestToTheOldest) {
  ASSERT_THAT(
      store().Write(
          {.checkpoints = {Checkpoint("b", "", "ready", 2), Checkpoint("a", "", "ready", 2),
                           Checkpoint("d", "", "ready", 1), Checkpoint("c", "", "ready", 3)},
           .containers = {Container("a", "", 1), Container("b", "", 2)},
           .operations = {Operation("a", "", 1), Operation("b", "", 2)}}),
      testing::IsOk());
  EXPECT_THAT(Ids(store().ListCheckpoints({}, 10, {}).value()), ElementsAre("c", "b", "a", "d"));
  EXPECT_THAT(Ids(store().ListContainers({}, 10, {}).value()), ElementsAre("b", "a"));
  EXPECT_THAT(Ids(store().ListOperations({}, 10, {}).value()), ElementsAre("b", "a"));
}

TEST_F(ListTest, PagesJoinWithoutGapOrRepetitionAlsoAmongEqualTimes) {
  Change change;
  for (std::uint64_t i = 0; i < 100; ++i) {
    change.checkpoints.push_back(
        Checkpoint(HexId(i * 7919 % 101), "", "ready", static_cast<std::int64_t>(i / 10)));
  }
  ASSERT_THAT(store().Write(change), testing::IsOk());
  ASSERT_OK_AND_ASSIGN(const std::vector<CheckpointRow> whole,
                       store().ListCheckpoints({}, 1000, {}));
  ASSERT_THAT(whole, SizeIs(100));
  EXPECT_EQ(ListInPages(store(), {}), whole);
}

TEST_F(ListTest, ARowThatGoesOrComesBetweenPagesDisturbsNoOther) {
  ASSERT_THAT(store().Write({.containers = {Container("a", "", 1), Container("b", "", 2),
                                            Container("c", "", 3), Container("d", "", 4)}}),
              testing::IsOk());
  ASSERT_THAT(Ids(store().ListContainers({}, 2, {}).value()), ElementsAre("d", "c"));
  ASSERT_THAT(store().Write({.containers = {Container("e", "", 5)}, .deleted_containers = {"c"}}),
              testing::IsOk());
  EXPECT_THAT(Ids(store().ListContainers({.created_us = 3, .id = "c"}, 2, {}).value()),
              ElementsAre("b", "a"));
}

TEST_F(ListTest, StatesFilterListsAndCounts) {
  ContainerRow exited = Container("k2", "", 2);
  exited.state = "exited";
  ASSERT_THAT(store().Write({.checkpoints = {Checkpoint("c1", "", "ready", 1),
                                             Checkpoint("c2", "", "failed", 2),
                                             Checkpoint("c3", "", "damaged", 3)},
                             .containers = {Container("k1", "", 1), exited},
                             .operations = {Operation("o1", "", 1), Operation("o2", "", 2, 3)}}),
              testing::IsOk());
  EXPECT_THAT(Ids(store().ListCheckpoints({}, 9, {"ready", "damaged"}).value()),
              ElementsAre("c3", "c1"));
  EXPECT_THAT(Ids(store().ListCheckpoints({}, 1, {"ready"}).value()), ElementsAre("c1"));
  EXPECT_THAT(store().ListCheckpoints({}, 9, {"creating"}).value(), IsEmpty());
  EXPECT_THAT(Ids(store().ListContainers({}, 9, {"exited"}).value()), ElementsAre("k2"));
  EXPECT_THAT(Ids(store().ListOperations({}, 9, {"running"}).value()), ElementsAre("o1"));
  EXPECT_EQ(store().CountCheckpoints({}).value(), 3);
  EXPECT_EQ(store().CountCheckpoints({"ready", "failed"}).value(), 2);
  EXPECT_EQ(store().CountContainers({}).value(), 2);
  EXPECT_EQ(store().CountContainers({"running"}).value(), 1);
  EXPECT_EQ(store().CountContainers({"lost"}).value(), 0);
}

TEST_F(ListTest, AStateThatIsAskedForTwiceIsListedOnce) {
  ASSERT_THAT(store().Write({.checkpoints = {Checkpoint("c1")}}), testing::IsOk());
  EXPECT_THAT(Ids(store().ListCheckpoints({}, 9, {"ready", "ready"}).value()), ElementsAre("c1"));
  EXPECT_EQ(store().CountCheckpoints({"ready", "ready"}).value(), 1);
}

TEST_F(ListTest, PagesOfSeveralStatesJoinToo) {
  Change change;
  const std::vector<std::string> states = {"ready", "failed", "damaged", "creating"};
  for (std::uint64_t i = 0; i < 100; ++i) {
    change.checkpoints.push_back(Checkpoint(HexId(i * 7919 % 101), "", states[i * i % 11 % 4],
                                            static_cast<std::int64_t>(i / 10)));
  }
  ASSERT_THAT(store().Write(change), testing::IsOk());
  std::vector<CheckpointRow> expected = store().ListCheckpoints({}, 1000, {}).value();
  std::erase_if(expected, [](const CheckpointRow& row) { return row.state == "ready"; });
  EXPECT_EQ(ListInPages(store(), {"failed", "damaged", "creating"}), expected);
}

TEST_F(ListTest, APageOfNothingIsEmpty) {
  ASSERT_THAT(store().Write({.checkpoints = {Checkpoint("c1")}}), testing::IsOk());
  EXPECT_THAT(store().ListCheckpoints({}, 0, {}).value(), IsEmpty());
  EXPECT_THAT(store().ListCheckpoints({}, -1, {}).value(), IsEmpty());
  EXPECT_THAT(store().ListEvents(0, -1).value(), IsEmpty());
}

// What SQLite says it will do: "SEARCH … USING INDEX", never "SCAN" or "USE TEMP B-TREE".
std::vector<std::string> Plan(const std::string& path, std::string_view sql) {
  std::vector<std::string> details;
  sqlite3* connection = nullptr;
  EXPECT_EQ(sqlite3_open(path.c_str(), &connection), SQLITE_OK);
  const std::string explain = "EXPLAIN QUERY PLAN " + std::string(sql);
  const auto collect = [](void* into, int, char** values, char**) {
    static_cast<std::vector<std::string>*>(into)->emplace_back(values[3]);
    return 0;
  };
  EXPECT_EQ(sqlite3_exec(connection, explain.c_str(), collect, &details, nullptr), SQLITE_OK);
  sqlite3_close(connection);
  return details;
}

TEST_F(ListTest, EveryQueryWalksAnIndex) {
  store_.reset();
  std::vector<std::string_view> queries = {
      CheckpointTable::kGet,     CheckpointTable::kHolder,    CheckpointTable::kPrefix,
      CheckpointTable::kList,    CheckpointTable::kListState, CheckpointTable::kCountState,
      ContainerTable::kGet,      ContainerTable::kHolder,     ContainerTable::kPrefix,
      ContainerTable::kList,     ContainerTable::kListState,  ContainerTable::kCountState,
      ContainerTable::kRestores, OperationTable::kGet,        OperationTable::kHolder,
      OperationTable::kPrefix,   OperationTable::kList,       OperationTable::kListState,
      OperationTable::kByRequest};
  queries.insert(queries.end(), CheckpointTable::kExact.begin(), CheckpointTable::kExact.end());
  queries.insert(queries.end(), ContainerTable::kExact.begin(), ContainerTable::kExact.end());
  for (const std::string_view query : queries) {
    const std::vector<std::string> plan = Plan(path(), query);
    EXPECT_THAT(plan, SizeIs(1)) << query;
    EXPECT_THAT(plan, Each(HasSubstr("SEARCH"))) << query;
    EXPECT_THAT(plan, Each(HasSubstr("INDEX"))) << query;
  }
  EXPECT_THAT(Plan(path(), CheckpointTable::kCount), Each(HasSubstr("COVERING INDEX")));
  EXPECT_THAT(Plan(path(), ContainerTable::kCount), Each(HasSubstr("COVERING INDEX")));
  const std::vector<std::string> prune = Plan(path(), OperationTable::kPrune);
  EXPECT_THAT(prune, Each(Not(HasSubstr("TEMP B-TREE"))));
  EXPECT_THAT(prune, Contains(HasSubstr("COVERING INDEX operations_by_age")));
}

}  // namespace
}  // namespace crd::store
