#include <gmock/gmock.h>

#include "tests/unit/store/store_fixture.h"

namespace crd::store {
namespace {

using ::testing::ElementsAre;
using ::testing::Optional;
using namespace std::string_literals;

// Every column has a value of its own, so that two swapped ones show.
CheckpointRow FullCheckpoint() {
  return CheckpointRow{.id = "c1",
                       .name = "web",
                       .state = "ready",
                       .pid = 2,
                       .command = "/bin/sh -c \"it's; DROP TABLE checkpoints\"",
                       .processes = 3,
                       .container_id = "k1",
                       .created_us = 4,
                       .ready_us = 5,
                       .size_bytes = INT64_C(6) << 40U,
                       .options = R"({"tcp":true})",
                       .statistics = R"({"frozen_us":7})",
                       .stages = R"([1,2])",
                       .criu_version = "3.17.1",
                       .kernel_release = "6.1.0",
                       .host = "host",
                       .problem = "no problem",
                       .network_lock = "nftables"};
}

ContainerRow FullContainer() {
  return ContainerRow{.id = "k1",
                      .name = "web",
                      .state = "exited",
                      .pid = 2,
                      .start_time = 3,
                      .boot_id = "boot",
                      .command = "sleep",
                      .parent_checkpoint_id = "c1",
                      .last_checkpoint_id = "c2",
                      .created_us = 4,
                      .started_us = 5,
                      .ended_us = 6,
                      .exit_code = 0,
                      .exit_signal = 9,
                      .log_path = "/log",
                      .problem = "none"};
}

OperationRow FullOperation() {
  return OperationRow{.id = "o1",
                      .request_id = "r1",
                      .request = R"({"pid":2})",
                      .kind = "checkpoint",
                      .state = "failed",
                      .checkpoint_id = "c1",
                      .container_id = "k1",
                      .stage = "dump",
                      .created_us = 4,
                      .ended_us = 5,
                      .error = R"({"code":9})"};
}

EventRow Event(std::string change) {
  return EventRow{.time_us = 7,
                  .subject = "checkpoint",
                  .id = "c1",
                  .change = std::move(change),
                  .detail = "because"};
}

class RowTest : public StoreTest {};

TEST_F(RowTest, EveryColumnComesBackAfterReopening) {
  ASSERT_THAT(store().Write({.checkpoints = {FullCheckpoint()},
                             .containers = {FullContainer()},
                             .operations = {FullOperation()}}),
              testing::IsOk());
  Reopen();
  EXPECT_THAT(store().GetCheckpoint("c1").value(), Optional(FullCheckpoint()));
  EXPECT_THAT(store().GetContainer("k1").value(), Optional(FullContainer()));
  EXPECT_THAT(store().GetOperation("o1").value(), Optional(FullOperation()));
  EXPECT_THAT(store().FindRequest("r1").value(), Optional(FullOperation()));
}

TEST_F(RowTest, ARowWithTheSameIdIsReplacedInEveryColumn) {
  ASSERT_THAT(store().Write({.checkpoints = {FullCheckpoint()},
                             .containers = {FullContainer()},
                             .operations = {FullOperation()}}),
              testing::IsOk());
  const CheckpointRow checkpoint{.id = "c1"};
  const ContainerRow container{.id = "k1"};
  const OperationRow operation{.id = "o1"};
  ASSERT_THAT(
      store().Write(
          {.checkpoints = {checkpoint}, .containers = {container}, .operations = {operation}}),
      testing::IsOk());
  EXPECT_THAT(store().GetCheckpoint("c1").value(), Optional(checkpoint));
  EXPECT_THAT(store().GetContainer("k1").value(), Optional(container));
  EXPECT_THAT(store().GetOperation("o1").value(), Optional(operation));
}

TEST_F(RowTest, AnUnknownExitStatusIsNotZero) {
  ContainerRow row = FullContainer();
  row.exit_code = std::nullopt;
  row.exit_signal = std::nullopt;
  ASSERT_THAT(store().Write({.containers = {row}}), testing::IsOk());
  EXPECT_THAT(store().GetContainer("k1").value(), Optional(row));
}

TEST_F(RowTest, TextsKeepTheirBytes) {
  CheckpointRow row = FullCheckpoint();
  row.command = "not \xff\xfe UTF-8, a \0 and \n in it"s;
  ASSERT_THAT(store().Write({.checkpoints = {row}}), testing::IsOk());
  EXPECT_THAT(store().GetCheckpoint("c1").value(), Optional(row));
}

TEST_F(RowTest, WhatWasNeverWrittenIsNotFound) {
  EXPECT_EQ(store().GetCheckpoint("c1").value(), std::nullopt);
  EXPECT_EQ(store().GetContainer("k1").value(), std::nullopt);
  EXPECT_EQ(store().GetOperation("o1").value(), std::nullopt);
  EXPECT_EQ(store().FindRequest("r1").value(), std::nullopt);
}

TEST_F(RowTest, AnOperationWithoutRequestIdIsNotFoundByIt) {
  ASSERT_THAT(store().Write({.operations = {Operation("o1"), Operation("o2")}}), testing::IsOk());
  EXPECT_EQ(store().FindRequest("").value(), std::nullopt);
}

TEST_F(RowTest, DeletedRowsAreGoneAndDeletingNothingIsNoError) {
  ASSERT_THAT(store().Write({.checkpoints = {FullCheckpoint()}, .containers = {FullContainer()}}),
              testing::IsOk());
  ASSERT_THAT(store().Write({.deleted_checkpoints = {"c1", "c9"}, .deleted_containers = {"k1"}}),
              testing::IsOk());
  EXPECT_EQ(store().GetCheckpoint("c1").value(), std::nullopt);
  EXPECT_EQ(store().GetContainer("k1").value(), std::nullopt);
}

TEST_F(RowTest, EventsGetNumbersInOrder) {
  ASSERT_OK_AND_ASSIGN(const std::vector<EventRow> written,
                       store().Write({.events = {Event("creating"), Event("ready")}}));
  ASSERT_EQ(written.size(), 2U);
  EXPECT_EQ(written[0].sequence, 1);
  EXPECT_EQ(written[1].sequence, 2);
  EXPECT_EQ(store().ListEvents(0, 10).value(), written);
  EXPECT_THAT(store().ListEvents(1, 10).value(), ElementsAre(written[1]));
  EXPECT_THAT(store().ListEvents(0, 1).value(), ElementsAre(written[0]));
  EXPECT_EQ(store().LastEventSequence().value(), 2);
}

TEST_F(RowTest, WithoutEventsTheLastSequenceIsZero) {
  EXPECT_EQ(store().LastEventSequence().value(), 0);
}

TEST_F(RowTest, AFailedChangeLeavesNothingAndGivesItsEventNumbersBack) {
  ASSERT_THAT(store().Write({.containers = {Container("k1", "web")}, .events = {Event("first")}}),
              testing::IsOk());
  EXPECT_THAT(store().Write({.checkpoints = {FullCheckpoint()},
                             .containers = {Container("k2", "web")},
                             .deleted_containers = {"k9"},
                             .events = {Event("never")}}),
              testing::FailsWith(Code::kAlreadyExists));
  EXPECT_EQ(store().GetCheckpoint("c1").value(), std::nullopt);
  ASSERT_OK_AND_ASSIGN(const std::vector<EventRow> written,
                       store().Write({.events = {Event("second")}}));
  EXPECT_EQ(written.at(0).sequence, 2);
}

TEST_F(RowTest, RestoresOfACheckpointAreListedNewestFirst) {
  ContainerRow older = Container("k1", "", 1);
  ContainerRow newer = Container("k2", "", 2);
  older.parent_checkpoint_id = newer.parent_checkpoint_id = "c1";
  ASSERT_THAT(store().Write({.containers = {older, newer, Container("k3")}}), testing::IsOk());
  EXPECT_THAT(store().ListRestores("c1").value(), ElementsAre("k2", "k1"));
  EXPECT_THAT(store().ListRestores("").value(), ElementsAre());
}

}  // namespace
}  // namespace crd::store
