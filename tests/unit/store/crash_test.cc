#include <array>
#include <charconv>

#include <fcntl.h>
#include <gmock/gmock.h>
#include <poll.h>

#include "daemon/base/clock.h"
#include "daemon/base/unique_fd.h"
#include "tests/unit/store/in_child.h"
#include "tests/unit/store/raw_database.h"
#include "tests/unit/store/store_fixture.h"

namespace crd::store {
namespace {

using ::testing::ElementsAre;

struct Pipe {
  UniqueFd read;
  UniqueFd write;
};

Pipe MakePipe() {
  int ends[2] = {-1, -1};
  EXPECT_EQ(::pipe2(ends, O_CLOEXEC), 0);
  return Pipe{.read = UniqueFd(ends[0]), .write = UniqueFd(ends[1])};
}

// One change per round: a checkpoint, a container, an operation and an event that belong together.
Change Round(std::uint64_t round) {
  const auto time = static_cast<std::int64_t>(round);
  Change change{.checkpoints = {Checkpoint(HexId(round), fmt::format("n{}", round))},
                .containers = {Container(HexId(round), fmt::format("n{}", round), time)},
                .operations = {Operation(HexId(round), fmt::format("r{}", round), time, time)},
                .events = {EventRow{.time_us = time, .id = HexId(round)}}};
  // Big enough that the log is moved into the file every few rounds.
  change.checkpoints[0].options = std::string(round % 7 * 3000, 'x');
  if (round > 20) change.deleted_containers = {HexId(round - 20)};
  return change;
}

// Writes until it is killed; tells each round that was acknowledged.
void WriteForEver(const std::string& path, std::uint64_t first, int tell) {
  ASSERT_OK_AND_ASSIGN(const auto store, Store::Open(path));
  for (std::uint64_t round = first;; ++round) {
    ASSERT_THAT(store->Write(Round(round)), testing::IsOk());
    ASSERT_EQ(::write(tell, &round, sizeof round), static_cast<ssize_t>(sizeof round));
  }
}

// The last round that a writer acknowledged; kills it after `rounds` of them and `delay_us` more.
std::uint64_t KillInTheMiddle(const std::string& path, std::uint64_t first, std::uint64_t rounds,
                              std::int64_t delay_us) {
  Pipe pipe = MakePipe();
  const pid_t child = testing::StartChild([&] { WriteForEver(path, first, pipe.write.get()); });
  pipe.write.reset();
  std::uint64_t last = 0;
  const auto next = [&] { return ::read(pipe.read.get(), &last, sizeof last) == sizeof last; };
  while (last < first + rounds && next()) {
  }
  const auto since = SteadyClock::now();
  while (MicrosSince(since) < delay_us) {
  }
  EXPECT_EQ(::kill(child, SIGKILL), 0);
  while (next()) {
  }
  EXPECT_TRUE(WIFSIGNALED(testing::WaitFor(child)));
  return last;
}

class CrashTest : public ::testing::Test {};

TEST_F(CrashTest, AWriterKilledAtAnyMomentLosesNothingThatItAcknowledged) {
  const testing::TempDir directory;
  const std::string path = directory / "crd.db";
  std::uint64_t last = 0;
  for (std::int64_t death = 0; death < 25; ++death) {
    SCOPED_TRACE(death);
    last = KillInTheMiddle(path, last + 1, 10, death * 37);
    ASSERT_OK_AND_ASSIGN(const auto store, Store::Open(path));
    // The killed process may have written one more round than it could tell.
    ASSERT_OK_AND_ASSIGN(const std::int64_t newest, store->LastEventSequence());
    ASSERT_GE(newest, static_cast<std::int64_t>(last));
    ASSERT_LE(newest, static_cast<std::int64_t>(last + 1));
    last = static_cast<std::uint64_t>(newest);
    EXPECT_EQ(store->CountCheckpoints({}).value(), newest);
    EXPECT_EQ(store->CountContainers({}).value(), std::min<std::int64_t>(newest, 20));
    for (std::uint64_t round = 1; round <= last; ++round) {
      ASSERT_EQ(store->GetCheckpoint(HexId(round)).value(), Round(round).checkpoints[0]);
      ASSERT_EQ(store->FindRequest(fmt::format("r{}", round)).value(), Round(round).operations[0]);
    }
  }
  EXPECT_THAT(testing::RunSql(path, "PRAGMA integrity_check"), ElementsAre("ok"));
}

}  // namespace
}  // namespace crd::store
