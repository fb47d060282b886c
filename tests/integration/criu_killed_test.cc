// CRIU is killed at chosen moments of a dump: what it had begun is undone, or finished where it was
// committed.
#include <csignal>
#include <string>

#include "tests/integration/support/stopping_criu.h"

namespace crd::testing {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

class KilledCriu : public WithStoppingCriu {
 protected:
  static v1::CheckpointRequest WithConnections(const Victim& victim) {
    v1::CheckpointRequest request = CheckpointOf(victim);
    request.mutable_options()->set_tcp_established(true);
    return request;
  }
  std::vector<std::string> Locks() { return OwnNetwork::Tables(reaper_); }
};

TEST_F(KilledCriu, LeavesConnectionsOpen) {
  Victim victim(reaper_, dir_.path(), "tcp");
  ASSERT_TRUE(victim.Started());
  ASSERT_TRUE(RestartWithCriuThatStopsBehind("lock made"));
  auto call = Begin(WithConnections(victim));
  const pid_t criu = AwaitStoppedCriu([&] { return Ready(call); });
  ASSERT_GT(criu, 0);
  EXPECT_THAT(Locks(), SizeIs(1));
  SignalPid(criu, SIGKILL);
  const auto answer = call.get();
  EXPECT_THAT(answer, FailsBecause("CRIU_KILLED"));
  EXPECT_THAT(Locks(), IsEmpty());
  EXPECT_TRUE(victim.GoesOn());
  UseSoundCriu();
  ASSERT_TRUE(Restart());
  ExpectNothingWasLost(victim, {"--tcp-established"});
}

// The next crd kills it, and has to know what it left behind.
TEST_F(KilledCriu, OfAKilledCrdLeavesConnectionsOpenToo) {
  Victim victim(reaper_, dir_.path(), "tcp");
  ASSERT_TRUE(victim.Started());
  ASSERT_TRUE(RestartWithCriuThatStopsBehind("lock made"));
  auto call = Begin(WithConnections(victim));
  ASSERT_GT(AwaitStoppedCriu([&] { return Ready(call); }), 0);
  EXPECT_THAT(Locks(), SizeIs(1));
  UseSoundCriu();
  ASSERT_TRUE(RestartAfterKill9());
  EXPECT_FALSE(call.get().ok());
  EXPECT_THAT(Locks(), IsEmpty());
  EXPECT_TRUE(victim.GoesOn());
  ExpectNothingWasLost(victim, {"--tcp-established"});
}

// Half a tree is neither what runs nor what was dumped: the rest of it has to go, too.
TEST_F(KilledCriu, ThatHadBegunToEndTheTreeLosesNothing) {
  Victim victim(reaper_, dir_.path(), "tree", {.arguments = {"3"}});
  ASSERT_TRUE(victim.Started());
  ASSERT_TRUE(RestartWithCriuThatStopsBehind("root killed", victim.pid()));
  auto call = Begin(CheckpointOf(victim));
  const pid_t criu = AwaitStoppedCriu([&] { return Ready(call); });
  ASSERT_GT(criu, 0);
  SignalPid(criu, SIGKILL);
  const auto answer = call.get();
  EXPECT_THAT(answer, Worked()) << ::testing::PrintToString(answer);
  EXPECT_TRUE(victim.Gone());
  EXPECT_THAT(crd_.Log(), HasSubstr("ended the rest of the tree"));
  UseSoundCriu();
  ASSERT_TRUE(Restart());
  ExpectRecordsAreTrue();
  // The victim's own word does not count: the rest of it may have run for a moment, and complained.
  const std::string container = Restored(answer->id());
  EXPECT_EQ(api_->GetContainer(container)->state(), v1::CONTAINER_STATE_RUNNING);
  EXPECT_EQ(crd_.CgroupPids().size(), 3U);
}

}  // namespace
}  // namespace crd::testing
