#include <gmock/gmock.h>

#include "store/table.h"
#include "tests/unit/store/store_fixture.h"

namespace crd::store {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

class NameTest : public StoreTest {};

class HeldNameTest : public NameTest, public ::testing::WithParamInterface<const char*> {};

TEST_P(HeldNameTest, ACheckpointInThisStateHoldsItsName) {
  ASSERT_THAT(store().Write({.checkpoints = {Checkpoint("c1", "web", GetParam())}}),
              testing::IsOk());
  const auto refused = store().Write({.checkpoints = {Checkpoint("c2", "web", "creating")}});
  ASSERT_THAT(refused, testing::Refuses("NAME_TAKEN"));
  EXPECT_EQ(refused.error().code, Code::kAlreadyExists);
  EXPECT_THAT(refused.error().message, HasSubstr("name 'web' is taken by checkpoint 'c1'"));
  EXPECT_FALSE(refused.error().hint.empty());
}

INSTANTIATE_TEST_SUITE_P(States, HeldNameTest,
                         ::testing::Values("creating", "ready", "damaged", "deleting"));

TEST_F(NameTest, AFailedCheckpointGivesItsNameAway) {
  ASSERT_THAT(store().Write({.checkpoints = {Checkpoint("c1", "web", "failed"),
                                             Checkpoint("c2", "web", "failed"),
                                             Checkpoint("c3", "web", "ready")}}),
              testing::IsOk());
  EXPECT_THAT(Ids(store().MatchCheckpoints("web").value()), ElementsAre("c3"));
  EXPECT_THAT(store().Write({.checkpoints = {Checkpoint("c1", "web", "ready")}}),
              testing::Refuses("NAME_TAKEN"));
}

TEST_F(NameTest, ANameThatNobodyHoldsMeansTheNewestThatHadIt) {
  ASSERT_THAT(store().Write({.checkpoints = {Checkpoint("c1", "web", "failed", 1),
                                             Checkpoint("c3", "web", "failed", 3),
                                             Checkpoint("c2", "web", "failed", 2)}}),
              testing::IsOk());
  EXPECT_THAT(Ids(store().MatchCheckpoints("web").value()), ElementsAre("c3"));
}

TEST_F(NameTest, ADeletionInTheSameChangeFreesTheName) {
  ASSERT_THAT(store().Write({.checkpoints = {Checkpoint("c1", "web")},
                             .containers = {Container("k1", "web")}}),
              testing::IsOk());
  EXPECT_THAT(store().Write({.checkpoints = {Checkpoint("c2", "web")},
                             .containers = {Container("k2", "web")},
                             .deleted_checkpoints = {"c1"},
                             .deleted_containers = {"k1"}}),
              testing::IsOk());
}

TEST_F(NameTest, ManyMayHaveNoName) {
  EXPECT_THAT(store().Write({.checkpoints = {Checkpoint("c1"), Checkpoint("c2")},
                             .containers = {Container("k1"), Container("k2")},
                             .operations = {Operation("o1"), Operation("o2")}}),
              testing::IsOk());
}

TEST_F(NameTest, AContainerHoldsItsNameInEveryState) {
  ContainerRow exited = Container("k1", "web");
  exited.state = "exited";
  ASSERT_THAT(store().Write({.containers = {exited}}), testing::IsOk());
  const auto refused = store().Write({.containers = {Container("k2", "web")}});
  ASSERT_THAT(refused, testing::Refuses("NAME_TAKEN"));
  EXPECT_THAT(refused.error().message, HasSubstr("name 'web' is taken by container 'k1'"));
}

TEST_F(NameTest, ARequestIdIsUsedOnce) {
  ASSERT_THAT(store().Write({.operations = {Operation("o1", "r1")}}), testing::IsOk());
  const auto refused = store().Write({.operations = {Operation("o2", "r1")}});
  ASSERT_THAT(refused, testing::Refuses("REQUEST_ID_TAKEN"));
  EXPECT_EQ(refused.error().code, Code::kAlreadyExists);
  EXPECT_THAT(refused.error().message, HasSubstr("request id 'r1' is taken by operation 'o1'"));
}

TEST_F(NameTest, AWriteAfterARefusedOneWorks) {
  ASSERT_THAT(store().Write({.containers = {Container("k1", "web")}}), testing::IsOk());
  ASSERT_THAT(store().Write({.containers = {Container("k2", "web")}}),
              testing::Refuses("NAME_TAKEN"));
  EXPECT_THAT(store().Write({.containers = {Container("k2", "mail")}}), testing::IsOk());
}

TEST_F(NameTest, AnIdGoesBeforeANameAndANameBeforeAPrefix) {
  ASSERT_THAT(store().Write({.containers = {Container("aa", "zz"), Container("ab", "aa"),
                                            Container("aab", "a")}}),
              testing::IsOk());
  EXPECT_THAT(Ids(store().MatchContainers("aa").value()), ElementsAre("aa"));
  EXPECT_THAT(Ids(store().MatchContainers("zz").value()), ElementsAre("aa"));
  EXPECT_THAT(Ids(store().MatchContainers("a").value()), ElementsAre("aab"));
}

TEST_F(NameTest, APrefixMatchesAtMostEight) {
  Change change;
  for (std::uint64_t i = 0; i < 20; ++i) {
    change.checkpoints.push_back(Checkpoint("ab" + HexId(i)));
    change.operations.push_back(Operation("ab" + HexId(i)));
  }
  change.checkpoints.push_back(Checkpoint("ac"));
  ASSERT_THAT(store().Write(change), testing::IsOk());
  EXPECT_THAT(store().MatchCheckpoints("ab").value(), SizeIs(Store::kMaxMatches));
  EXPECT_THAT(store().MatchOperations("ab").value(), SizeIs(Store::kMaxMatches));
  EXPECT_THAT(Ids(store().MatchCheckpoints("ab000000000000000").value()),
              SizeIs(Store::kMaxMatches));
  EXPECT_THAT(Ids(store().MatchCheckpoints("ab" + HexId(19)).value()), SizeIs(1));
}

TEST_F(NameTest, APrefixStopsAtTheLastIdThatHasIt) {
  ASSERT_THAT(store().Write({.checkpoints = {Checkpoint("ab1"), Checkpoint("ab2"),
                                             Checkpoint("ac1"), Checkpoint("aa1")}}),
              testing::IsOk());
  EXPECT_THAT(Ids(store().MatchCheckpoints("ab").value()), ElementsAre("ab1", "ab2"));
}

TEST_F(NameTest, WildcardsAreOrdinaryCharacters) {
  ASSERT_THAT(store().Write({.checkpoints = {Checkpoint("ab")}}), testing::IsOk());
  for (const char* key : {"%", "_", "a%", "a_", "a*", "[a]", "'", "\xff", "\xff\xff", "b", ""}) {
    EXPECT_THAT(store().MatchCheckpoints(key).value(), IsEmpty()) << key;
  }
}

TEST_F(NameTest, NothingMatchesAnEmptyKey) {
  ASSERT_THAT(store().Write({.checkpoints = {Checkpoint("c1")},
                             .containers = {Container("k1")},
                             .operations = {Operation("o1")}}),
              testing::IsOk());
  EXPECT_THAT(store().MatchCheckpoints("").value(), IsEmpty());
  EXPECT_THAT(store().MatchContainers("").value(), IsEmpty());
  EXPECT_THAT(store().MatchOperations("").value(), IsEmpty());
}

TEST(UpperBoundTest, IsTheNextTextOfAtMostTheSameLength) {
  EXPECT_EQ(UpperBound("a"), "b");
  EXPECT_EQ(UpperBound("a\xff\xff"), "b");
  EXPECT_EQ(UpperBound("\xff"), std::nullopt);
  EXPECT_EQ(UpperBound(""), std::nullopt);
}

}  // namespace
}  // namespace crd::store
