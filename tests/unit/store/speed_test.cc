#include <algorithm>
#include <iostream>

#include "daemon/base/clock.h"
#include "tests/unit/store/store_fixture.h"

namespace crd::store {
namespace {

constexpr std::uint64_t kRows = 10'000;

void Fill(Store& store) {
  for (std::uint64_t chunk = 0; chunk < kRows; chunk += 1000) {
    Change change;
    for (std::uint64_t i = chunk; i < chunk + 1000; ++i) {
      const auto time = static_cast<std::int64_t>(i);
      const std::string id = HexId(i * 0x9e3779b97f4a7c15);
      CheckpointRow row = Checkpoint(id, "name-" + id, i % 1000 == 0 ? "damaged" : "ready", time);
      row.command = std::string(80, 'c');
      row.options = row.statistics = row.stages = std::string(300, 'j');
      change.checkpoints.push_back(row);
      ContainerRow container = Container(id, "name-" + id, time);
      container.command = std::string(80, 'c');
      container.parent_checkpoint_id = id;
      change.containers.push_back(container);
      OperationRow operation = Operation(id, "request-" + id, time, time + 1);
      operation.request = std::string(300, 'j');
      change.operations.push_back(operation);
      change.events.push_back(EventRow{.time_us = time, .subject = "checkpoint", .id = id});
    }
    ASSERT_THAT(store.Write(change), testing::IsOk());
  }
}

// Prints the fastest and the middle of some runs.
template <typename F>
void Measure(const char* what, int runs, F run) {
  std::vector<std::int64_t> times;
  for (int i = 0; i < runs; ++i) {
    const auto since = SteadyClock::now();
    run(i);
    times.push_back(MicrosSince(since));
  }
  std::sort(times.begin(), times.end());
  std::cout << fmt::format("  {:44} min {:7} us, median {:7} us\n", what, times.front(),
                           times[times.size() / 2]);
}

class SpeedTest : public StoreTest {};

// Prints, and asserts only that everything works: a busy machine is no failure.
TEST_F(SpeedTest, WithTenThousandRowsOfEachKind) {
  Fill(store());
  Cursor middle{.created_us = kRows / 2, .id = ""};
  Measure("page of 100 checkpoints, newest", 100,
          [&](int) { ASSERT_EQ(store().ListCheckpoints({}, 100, {}).value().size(), 100U); });
  Measure("page of 100 checkpoints, from the middle", 100, [&](int) {
    ASSERT_EQ(store().ListCheckpoints(middle, 100, {"ready"}).value().size(), 100U);
  });
  Measure("the 10 damaged checkpoints of 10,000", 100, [&](int) {
    ASSERT_EQ(store().ListCheckpoints({}, 100, {"damaged", "deleting"}).value().size(), 10U);
  });
  Measure("page of 100 containers", 100, [&](int) {
    ASSERT_EQ(store().ListContainers({}, 100, {"running"}).value().size(), 100U);
  });
  Measure("page of 100 of all of 7 states", 100, [&](int) {
    ASSERT_EQ(store()
                  .ListContainers({}, 100,
                                  {"running", "exited", "lost", "checkpointing", "checkpointed",
                                   "restoring", "x"})
                  .value()
                  .size(),
              100U);
  });
  Measure("all 10,000 containers", 3,
          [&](int) { ASSERT_EQ(store().ListContainers({}, kRows, {}).value().size(), kRows); });
  Measure("all 10,000 checkpoints", 3,
          [&](int) { ASSERT_EQ(store().ListCheckpoints({}, kRows, {}).value().size(), kRows); });
  Measure("count by state", 100,
          [&](int) { ASSERT_EQ(store().CountCheckpoints({"damaged"}).value(), 10); });
  Measure("match by prefix", 100,
          [&](int) { ASSERT_THAT(store().MatchCheckpoints("9e3"), testing::IsOk()); });
  Measure("write of one change", 100, [&](int i) {
    const std::string id = fmt::format("new-{}", i);
    ASSERT_THAT(store().Write({.checkpoints = {Checkpoint(id)},
                               .operations = {Operation(id, id, 20'000, 20'001)},
                               .events = {EventRow{.id = id}}}),
                testing::IsOk());
  });
  Measure("close and open", 10, [&](int) { Reopen(); });
}

}  // namespace
}  // namespace crd::store
