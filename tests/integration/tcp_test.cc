// Open connections, in the network namespace that crd itself is in.
#include <string>
#include <vector>

#include "tests/integration/support/integration_test.h"
#include "tests/integration/support/tcp_client.h"

namespace crd::testing {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

class Tcp : public IntegrationTest {
 protected:
  std::vector<std::string> Locks() { return OwnNetwork::Tables(reaper_); }
};

class TcpPair : public Tcp, public ::testing::WithParamInterface<std::string> {};

TEST_P(TcpPair, GoesOnAfterARestoreAndAfterAnotherOne) {
  Victim victim(reaper_, dir_.path(), "tcp", {.arguments = {GetParam()}});
  ASSERT_TRUE(victim.Started());
  const std::string checkpoint = Checkpointed(victim, {"--tcp-established"});
  const auto counts = victim.Counts();
  for (int round = 0; round < 2; ++round) {
    const std::string container = Restored(checkpoint, {"--tcp-established"});
    EXPECT_TRUE(victim.GoesOnFrom(counts));
    EXPECT_THAT(Locks(), IsEmpty());
    victim.Kill();
    EXPECT_THAT(api_->Wait(container), Worked());
  }
}

TEST_P(TcpPair, GoesOnWhenTheTreeIsLeftRunning) {
  Victim victim(reaper_, dir_.path(), "tcp", {.arguments = {GetParam()}});
  ASSERT_TRUE(victim.Started());
  const std::string checkpoint = Checkpointed(victim, {"--tcp-established", "--leave-running"});
  EXPECT_TRUE(victim.GoesOn());
  EXPECT_THAT(Locks(), IsEmpty());
  EXPECT_THAT(api_->GetCheckpoint(checkpoint)->network_lock(), IsEmpty());
}

INSTANTIATE_TEST_SUITE_P(Versions, TcpPair, ::testing::Values("4", "6"),
                         [](const auto& tested) { return "Ip" + tested.param; });

TEST_F(Tcp, ThePeerOutsideTheTreeDoesNotNoticeTheCheckpoint) {
  Victim victim(reaper_, dir_.path(), "server");
  ASSERT_TRUE(victim.Started());
  TcpClient client("127.0.0.1", victim.Value(0));
  ASSERT_TRUE(client.connected());
  client.Say("before");
  EXPECT_EQ(client.Hear(6), "before");
  const std::string checkpoint = Checkpointed(victim, {"--tcp-established"});
  client.Say("meanwhile");
  Restored(checkpoint, {"--tcp-established"});
  EXPECT_EQ(client.Hear(9), "meanwhile");
  client.Say("after");
  EXPECT_EQ(client.Hear(5), "after");
}

TEST_F(Tcp, AListeningSocketAcceptsAgain) {
  Victim victim(reaper_, dir_.path(), "listener");
  ASSERT_TRUE(victim.Started());
  Restored(Checkpointed(victim));
  TcpClient client("127.0.0.1", victim.Value(0));
  ASSERT_TRUE(client.connected());
  client.Say("hello");
  EXPECT_EQ(client.Hear(5), "hello");
}

TEST_F(Tcp, RestoreIsRefusedUntilItIsSaidWhatBecomesOfTheConnections) {
  Victim victim(reaper_, dir_.path(), "tcp");
  ASSERT_TRUE(victim.Started());
  const std::string checkpoint = Checkpointed(victim, {"--tcp-established"});
  EXPECT_THAT(api_->Restore(RestoreOf(checkpoint)), FailsBecause("TCP_NOT_ALLOWED"));
  EXPECT_TRUE(Refused(crctl_({"restore", checkpoint}), "--tcp-established"));
  EXPECT_TRUE(victim.Gone());
  const auto counts = victim.Counts();
  Restored(checkpoint, {"--tcp-established"});
  EXPECT_TRUE(victim.GoesOnFrom(counts));
}

TEST_F(Tcp, ConnectionsComeBackClosedWhenAsked) {
  Victim victim(reaper_, dir_.path(), "tcp");
  ASSERT_TRUE(victim.Started());
  const std::string checkpoint = Checkpointed(victim, {"--tcp-established"});
  const Outcome restored = crctl_({"restore", checkpoint, "--tcp-close", "--wait"});
  // The victim ends so when it finds its connection closed.
  EXPECT_EQ(restored.exit, 99) << ::testing::PrintToString(restored);
  EXPECT_THAT(Locks(), IsEmpty());
}

TEST_F(Tcp, TheLockIsShownAndGoesWithTheCheckpoint) {
  Victim victim(reaper_, dir_.path(), "tcp");
  ASSERT_TRUE(victim.Started());
  const std::string checkpoint = Checkpointed(victim, {"--tcp-established"});
  const std::string lock = crctl_.Json({"show", checkpoint}).value("network_lock", "");
  EXPECT_THAT(lock, HasSubstr("CRIU-"));
  EXPECT_THAT(Locks(), Contains(HasSubstr(lock.substr(0, 20))));
  EXPECT_EQ(crctl_({"rm", checkpoint}).exit, 0);
  EXPECT_THAT(Locks(), IsEmpty());
}

TEST_F(Tcp, ACheckpointThatIsRolledBackLeavesTheConnectionOpen) {
  Victim victim(reaper_, dir_.path(), "server");
  ASSERT_TRUE(victim.Started());
  TcpClient client("127.0.0.1", victim.Value(0));
  ASSERT_TRUE(client.connected());
  client.Say("before");
  EXPECT_EQ(client.Hear(6), "before");
  v1::CheckpointRequest request = CheckpointOf(victim);
  request.mutable_options()->set_tcp_established(true);
  request.set_timeout_us(1);
  EXPECT_THAT(api_->Checkpoint(request), FailsBecause("OPERATION_TIMED_OUT"));
  client.Say("after");
  EXPECT_EQ(client.Hear(5), "after");
  EXPECT_THAT(Locks(), IsEmpty());
}

}  // namespace
}  // namespace crd::testing
