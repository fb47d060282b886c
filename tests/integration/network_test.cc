// Trees with a network namespace of their own, on a bridge.
#include <csignal>
#include <cstring>
#include <string>
#include <vector>

#include <sys/mount.h>

#include "tests/integration/support/bridged_network.h"

namespace crd::testing {
namespace {

using ::testing::AllOf;
using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

using Network = BridgedNetwork;

class NetworkConnection : public Network, public ::testing::WithParamInterface<const char*> {};

TEST_P(NetworkConnection, SurvivesThatTheNamespaceIsDismantledAndBuiltAgain) {
  Victim& victim = NewServer();
  const std::string before = Ip("-d address", NetnsOf(victim)).out;
  auto client = ConnectFromPeer(victim, GetParam());
  client->Say("before");
  EXPECT_EQ(client->Hear(6), "before");
  const std::string checkpoint = Checkpointed(victim, {"--tcp-established"});
  AwaitDismantled();
  client->Say("meanwhile");
  Restored(checkpoint, {"--tcp-established"});
  EXPECT_EQ(client->Hear(9), "meanwhile");
  client->Say("after");
  EXPECT_EQ(client->Hear(5), "after");
  EXPECT_THAT(Ip("-o link show vc0").out, HasSubstr("master br0"));
  for (const char* kept : {"02:00:00:00:00:05", "10.77.0.5/24", "fd77::5/64", "mtu 1400"}) {
    EXPECT_THAT(before, HasSubstr(kept));
    EXPECT_THAT(Ip("-d address", NetnsOf(victim)).out, HasSubstr(kept));
  }
  EXPECT_THAT(Ip("route", NetnsOf(victim)).out, HasSubstr("default via 10.77.0.1"));
  EXPECT_THAT(LocksIn(NetnsOf(victim)), IsEmpty());
}

TEST_P(NetworkConnection, SurvivesThatTheBridgeIsMadeAgain) {
  Victim& victim = NewServer();
  auto client = ConnectFromPeer(victim, GetParam());
  client->Say("before");
  EXPECT_EQ(client->Hear(6), "before");
  const std::string checkpoint = Checkpointed(victim, {"--tcp-established"});
  AwaitDismantled();
  MustIp("link del br0");
  EXPECT_THAT(crctl_({"check", checkpoint}).out, HasSubstr("bridge 'br0'"));
  EXPECT_TRUE(Refused(crctl_({"restore", checkpoint, "--tcp-established"}), "bridge 'br0'"));
  MakeBridge();
  MustIp("link set vp0 master br0");
  Restored(checkpoint, {"--tcp-established"});
  client->Say("after");
  EXPECT_EQ(client->Hear(5), "after");
}

INSTANTIATE_TEST_SUITE_P(Versions, NetworkConnection, ::testing::Values(kAddress4, kAddress6),
                         [](const auto& tested) {
                           return tested.param == kAddress4 ? "Ip4" : "Ip6";
                         });

TEST_F(Network, IsShown) {
  const std::string checkpoint = Checkpointed(NewServer());
  const auto shown = crctl_.Json({"show", checkpoint})["network"];
  ASSERT_EQ(shown["interfaces"].size(), 2U);
  const auto eth0 = shown["interfaces"][1];
  EXPECT_EQ(eth0["name"], "eth0");
  EXPECT_EQ(eth0["mac"], "02:00:00:00:00:05");
  EXPECT_EQ(eth0["host_name"], "vc0");
  EXPECT_EQ(eth0["bridge"], "br0");
  EXPECT_EQ(eth0["addresses"][0]["address"], "10.77.0.5/24");
  EXPECT_THAT(crctl_({"show", checkpoint}).out,
              AllOf(HasSubstr("10.77.0.5/24"), HasSubstr("vc0 in bridge br0")));
}

TEST_F(Network, GoesOnWhenTheTreeIsLeftRunningAndIsCheckpointedAgain) {
  Victim& victim = NewServer();
  auto client = ConnectFromPeer(victim, kAddress4);
  client->Say("before");
  EXPECT_EQ(client->Hear(6), "before");
  Checkpointed(victim, {"--tcp-established", "--leave-running"});
  EXPECT_THAT(LocksIn(NetnsOf(victim)), IsEmpty());
  client->Say("running");
  EXPECT_EQ(client->Hear(7), "running");
  for (const char* text : {"first", "second"}) {
    const std::string checkpoint = Checkpointed(victim, {"--tcp-established"});
    AwaitDismantled();
    Restored(checkpoint, {"--tcp-established"});
    client->Say(text);
    EXPECT_EQ(client->Hear(std::strlen(text)), text);
  }
}

// Nobody but the next crd can free the tree.
TEST_F(Network, ALockThatIsFoundOrphanedAtStartIsRemoved) {
  Victim& victim = NewServer();
  auto client = ConnectFromPeer(victim, kAddress4);
  client->Say("before");
  EXPECT_EQ(client->Hear(6), "before");
  v1::CheckpointRequest request = CheckpointOf(victim);
  request.mutable_options()->set_tcp_established(true);
  ASSERT_TRUE(RestartWithCriuThatStopsBehind("lock made"));
  auto call = Begin(request);
  ASSERT_GT(AwaitStoppedCriu([&] { return Ready(call); }), 0);
  EXPECT_FALSE(LocksIn(NetnsOf(victim)).empty());
  ASSERT_TRUE(RestartAfterKill9());
  EXPECT_FALSE(call.get().ok());
  EXPECT_THAT(LocksIn(NetnsOf(victim)), IsEmpty());
  client->Say("after");
  EXPECT_EQ(client->Hear(5), "after");
}

TEST_F(Network, NothingIsLeftOfARestoreWhoseCrdWasKilled) {
  Victim& victim = NewServer();
  const std::string checkpoint = Checkpointed(victim);
  AwaitDismantled();
  ASSERT_TRUE(RestartWithCriuThatStopsBehind("started"));
  auto call = Begin(RestoreOf(checkpoint));
  ASSERT_GT(AwaitStoppedCriu([&] { return Ready(call); }), 0);
  EXPECT_EQ(Ip("link show vc0").exit, 0);
  ASSERT_TRUE(RestartAfterKill9());
  EXPECT_FALSE(call.get().ok());
  AwaitDismantled();
  Restored(checkpoint);
  EXPECT_TRUE(victim.GoesOn());
}

TEST_F(Network, AnAddressThatSomebodyHasIsRefusedAndNothingIsLeft) {
  Victim& victim = NewServer();
  const std::string checkpoint = Checkpointed(victim);
  AwaitDismantled();
  MustIp("link set eth0 address 02:00:00:00:00:77", PeerPath());
  MustIp("address add 10.77.0.5/24 dev eth0", PeerPath());
  const auto refused = api_->Restore(RestoreOf(checkpoint));
  EXPECT_THAT(refused, FailsBecause("ADDRESS_IN_USE"));
  EXPECT_THAT(refused.error.message(), HasSubstr("02:00:00:00:00:77"));
  EXPECT_NE(Ip("link show vc0").exit, 0);
  EXPECT_TRUE(victim.Gone());
  MustIp("address del 10.77.0.5/24 dev eth0", PeerPath());
  Restored(checkpoint);
  EXPECT_TRUE(victim.GoesOn());
}

TEST_F(Network, ANameThatSomebodyHasIsRefused) {
  const std::string checkpoint = Checkpointed(NewServer());
  AwaitDismantled();
  MustIp("link add vc0 type bridge");
  EXPECT_THAT(api_->Restore(RestoreOf(checkpoint)), FailsBecause("HOST_INTERFACE_TAKEN"));
  MustIp("link del vc0");
}

TEST_F(Network, WhatCannotBeMadeAgainIsNamedBeforeAnythingIsTouched) {
  Victim& victim = NewServer();
  MustIp("link add inside0 type bridge", NetnsOf(victim));
  EXPECT_THAT(api_->Checkpoint(CheckpointOf(victim)), FailsBecause("NETWORK_UNREPRODUCIBLE"));
  EXPECT_TRUE(Refused(crctl_({"checkpoint", "--pid", victim.PidText()}), "'inside0'"));
  EXPECT_TRUE(victim.GoesOn());
}

TEST_F(Network, NoneIsAnEmptyOneAndHostIsCrds) {
  Victim& victim = NewServer();
  const std::string checkpoint = Checkpointed(victim);
  const std::string alone = Restored(checkpoint, {"--network", "none"});
  EXPECT_THAT(Ip("-o link", NetnsOf(victim)).out, Not(HasSubstr("eth0")));
  EXPECT_THAT(Ip("-o link", NetnsOf(victim)).out, HasSubstr("LOOPBACK,UP"));
  victim.Kill();
  EXPECT_THAT(api_->Wait(alone), Worked());
  Restored(checkpoint, {"--network", "host"});
  EXPECT_EQ(InodeOf(NetnsOf(victim)), InodeOf("/proc/self/ns/net"));
  EXPECT_TRUE(victim.GoesOn());
}

TEST_F(Network, ANamespaceThatSomebodyPreparedIsJoined) {
  Victim& victim = NewServer();
  const std::string checkpoint = Checkpointed(victim);
  Restored(checkpoint, {"--network", "netns=" + PeerPath()});
  EXPECT_EQ(InodeOf(NetnsOf(victim)), InodeOf(PeerPath()));
  TcpClient client("10.77.0.9", victim.Value(0));
  ASSERT_TRUE(client.connected());
  client.Say("hello");
  EXPECT_EQ(client.Hear(5), "hello");
}

TEST_F(Network, ChoicesThatMakeNoSenseAreRefused) {
  const std::string checkpoint = Checkpointed(NewServer());
  EXPECT_TRUE(Refused(crctl_({"restore", checkpoint, "--network", "netns=/dev/null"}),
                      "'/dev/null' is not a network namespace"));
  EXPECT_TRUE(Refused(crctl_({"restore", checkpoint, "--network", "netns=/nowhere"}), "/nowhere"));
  EXPECT_TRUE(Refused(crctl_({"restore", checkpoint, "--network", "criu"}), "--network criu"));
  EXPECT_EQ(crctl_({"restore", checkpoint, "--network", "nonsense"}).exit, 2);
  v1::RestoreRequest request = RestoreOf(checkpoint);
  request.set_netns_path("/proc/self/ns/net");
  EXPECT_THAT(api_->Restore(request), FailsBecause("INVALID_REQUEST"));

  Victim plain(reaper_, dir_.path(), "counter");
  ASSERT_TRUE(plain.Started());
  request = RestoreOf(Checkpointed(plain));
  request.set_network(v1::NETWORK_MODE_NONE);
  EXPECT_THAT(api_->Restore(request), FailsBecause("NETWORK_NOT_ITS_OWN"));
}

// A namespace that somebody has bound to a file outlives the tree.
class KeptNetwork : public Network {
 protected:
  void Keep(const Victim& victim) {
    Spill(Path(), "");
    ASSERT_EQ(::mount(NetnsOf(victim).c_str(), Path().c_str(), nullptr, MS_BIND, nullptr), 0);
  }
  void TearDown() override {
    ::umount2(Path().c_str(), MNT_DETACH);
    Network::TearDown();
  }
  [[nodiscard]] std::string Path() const { return dir_ / "kept"; }
};

TEST_F(KeptNetwork, IsUsedAgain) {
  Victim& victim = NewServer();
  Keep(victim);
  auto client = ConnectFromPeer(victim, kAddress4);
  client->Say("before");
  EXPECT_EQ(client->Hear(6), "before");
  const std::string checkpoint = Checkpointed(victim, {"--tcp-established"});
  EXPECT_THAT(LocksIn(Path()), Not(IsEmpty()));
  EXPECT_THAT(crctl_.Json({"show", checkpoint}).value("network_lock", ""), HasSubstr("CRIU-"));
  client->Say("meanwhile");
  Restored(checkpoint, {"--tcp-established"});
  EXPECT_EQ(client->Hear(9), "meanwhile");
  EXPECT_EQ(InodeOf(NetnsOf(victim)), InodeOf(Path()));
  EXPECT_THAT(LocksIn(Path()), IsEmpty());
}

TEST_F(KeptNetwork, IsUnlockedWhenTheCheckpointIsRemoved) {
  Victim& victim = NewServer();
  Keep(victim);
  const std::string checkpoint = Checkpointed(victim, {"--tcp-established"});
  EXPECT_THAT(LocksIn(Path()), Not(IsEmpty()));
  EXPECT_EQ(crctl_({"rm", checkpoint}).exit, 0);
  EXPECT_THAT(LocksIn(Path()), IsEmpty());
}

}  // namespace
}  // namespace crd::testing
