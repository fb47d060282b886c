#include "daemon/rpc/operation_views.h"

#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace crd::rpc {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

OperationRecord Row(const std::string& id, WallMicros created,
                    OperationState state = OperationState::kSucceeded) {
  return {.id = OperationId(id), .state = state, .created_us = created};
}

OperationView Live(const std::string& id, WallMicros created) {
  OperationView view{.record = Row(id, created, OperationState::kRunning),
                     .progress = Progress{.stage = "dump"}};
  view.record.stage = "dump";
  return view;
}

std::vector<std::string> Ids(const Page<OperationView>& page) {
  std::vector<std::string> ids;
  for (const OperationView& view : page.records) ids.push_back(view.record.id.str());
  return ids;
}

TEST(OperationViewsTest, WhatRunsStandsAmongTheRestByAge) {
  const auto page = MergeRunning({.records = {Row("c", 30), Row("a", 10)}, .next_token = ""},
                                 {Live("b", 20), Live("d", 40)}, "", 10);
  EXPECT_THAT(Ids(page), ElementsAre("d", "c", "b", "a"));
  EXPECT_EQ(page.next_token, "");
}

TEST(OperationViewsTest, TheLivingOneIsNewerThanItsRow) {
  const auto page =
      MergeRunning({.records = {Row("a", 10, OperationState::kRunning)}, .next_token = ""},
                   {Live("a", 10)}, "", 10);
  ASSERT_THAT(Ids(page), ElementsAre("a"));
  EXPECT_EQ(page.records[0].record.stage, "dump");
  EXPECT_TRUE(page.records[0].progress.has_value());
}

TEST(OperationViewsTest, ARowThatTellsOfTheEndWaitsForTheLivingOne) {
  const auto page =
      MergeRunning({.records = {Row("a", 10)}, .next_token = ""}, {Live("a", 10)}, "", 10);
  ASSERT_THAT(Ids(page), ElementsAre("a"));
  EXPECT_EQ(page.records[0].record.state, OperationState::kRunning);
  EXPECT_TRUE(page.records[0].progress.has_value());
}

TEST(OperationViewsTest, APageIsNeverLongerThanAsked) {
  const auto page = MergeRunning({.records = {Row("c", 30), Row("a", 10)}, .next_token = "10:a"},
                                 {Live("b", 20), Live("d", 40)}, "", 2);
  EXPECT_THAT(Ids(page), ElementsAre("d", "c"));
  EXPECT_EQ(page.next_token, "30:c");
}

TEST(OperationViewsTest, WhatRunsIsOnOnePageOnly) {
  const std::vector<OperationView> live = {Live("b", 20), Live("d", 40)};
  // The page behind "c" of a list with two to a page.
  const auto second = MergeRunning({.records = {Row("a", 10)}, .next_token = ""}, live, "30:c", 2);
  EXPECT_THAT(Ids(second), ElementsAre("b", "a"));
  EXPECT_EQ(second.next_token, "");
}

TEST(OperationViewsTest, WhatIsOlderThanThePageWaitsForTheNext) {
  const auto page =
      MergeRunning({.records = {Row("c", 30)}, .next_token = "30:c"}, {Live("b", 20)}, "", 1);
  EXPECT_THAT(Ids(page), ElementsAre("c"));
  EXPECT_EQ(page.next_token, "30:c");
}

TEST(OperationViewsTest, OperationsOfOneMomentAreTakenById) {
  const std::vector<OperationView> live = {Live("a", 10), Live("b", 10), Live("c", 10)};
  const auto first = MergeRunning({}, live, "", 2);
  EXPECT_THAT(Ids(first), ElementsAre("c", "b"));
  const auto second = MergeRunning({}, live, first.next_token, 2);
  EXPECT_THAT(Ids(second), ElementsAre("a"));
  EXPECT_EQ(second.next_token, "");
}

TEST(OperationViewsTest, NothingAtAllIsAnEmptyPage) {
  const auto page = MergeRunning({}, {}, "", 10);
  EXPECT_THAT(Ids(page), IsEmpty());
  EXPECT_EQ(page.next_token, "");
}

}  // namespace
}  // namespace crd::rpc
