// Networks that come back changed, or by CRIU.
#include <string>

#include "tests/integration/support/bridged_network.h"

namespace crd::testing {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

using NetworkChange = BridgedNetwork;

TEST_F(NetworkChange, OfAddressMacAndVeth) {
  Victim& victim = NewServer();
  const std::string checkpoint = Checkpointed(victim);
  AwaitDismantled();
  Restored(checkpoint, {"--map", "10.77.0.5=10.77.0.6", "--map", "fd77::5=fd77::6", "--map",
                        "02:00:00:00:00:05=02:00:00:00:00:06", "--map", "vc0=vc9"});
  const std::string inside = Ip("-d address", NetnsOf(victim)).out;
  for (const char* there : {"10.77.0.6/24", "fd77::6/64", "02:00:00:00:00:06"}) {
    EXPECT_THAT(inside, HasSubstr(there));
  }
  EXPECT_THAT(inside, Not(HasSubstr("10.77.0.5/")));
  EXPECT_THAT(Ip("-o link show vc9").out, HasSubstr("master br0"));
  for (const char* address : {"10.77.0.6", "fd77::6"}) {
    auto client = ConnectFromPeer(victim, address);
    client->Say("hello");
    EXPECT_EQ(client->Hear(5), "hello");
    client.reset();
    EXPECT_TRUE(victim.GoesOn());
  }
}

TEST_F(NetworkChange, OfTheBridge) {
  Victim& victim = NewServer();
  const std::string checkpoint = Checkpointed(victim);
  AwaitDismantled();
  MustIp("link add br1 type bridge");
  EXPECT_TRUE(Refused(crctl_({"restore", checkpoint, "--map", "br0=br1"}), "br1"));
  MustIp("address add 10.77.0.254/24 dev br1");
  MustIp("address add fd77::fe/64 dev br1 nodad");
  MustIp("link set br1 up");
  Restored(checkpoint, {"--map", "br0=br1"});
  EXPECT_THAT(Ip("-o link show vc0").out, HasSubstr("master br1"));
  EXPECT_TRUE(victim.GoesOn());
}

TEST_F(NetworkChange, IsRefusedWhereItCannotBe) {
  Victim& victim = NewServer();
  const std::string checkpoint = Checkpointed(victim);
  AwaitDismantled();
  const auto refused = [&](const std::string& change, const char* reason) {
    v1::RestoreRequest request = RestoreOf(checkpoint);
    auto& added = *request.add_map();
    added.set_from(change.substr(0, change.find('=')));
    added.set_to(change.substr(change.find('=') + 1));
    EXPECT_THAT(api_->Restore(request), FailsBecause(reason)) << change;
  };
  refused("10.77.0.99=10.77.0.6", "NETWORK_CHANGE_UNKNOWN");
  refused("10.77.0.5=nonsense", "NETWORK_CHANGE_INVALID");
  refused("10.77.0.5=fd77::7", "NETWORK_CHANGE_INVALID");
  refused("02:00:00:00:00:05=03:00:00:00:00:05", "NETWORK_CHANGE_INVALID");
  refused("10.77.0.5=192.0.2.1", "BRIDGE_OF_ANOTHER_SUBNET");
  refused("10.77.0.5=10.77.0.9", "ADDRESS_IN_USE");
  refused("vc0=a-name-that-is-too-long", "INTERFACE_NAME_INVALID");
  refused("vc0=br0", "HOST_INTERFACE_TAKEN");
  refused("br0=br7", "BRIDGE_GONE");
  refused("10.77.0.5=", "INVALID_REQUEST");
  EXPECT_EQ(crctl_({"restore", checkpoint, "--map", "10.77.0.5"}).exit, 2);
  EXPECT_TRUE(
      Refused(crctl_({"restore", checkpoint, "--network", "none", "--map", "10.77.0.5=10.77.0.6"}),
              "does not build"));
  Restored(checkpoint);
  EXPECT_TRUE(victim.GoesOn());
}

TEST_F(NetworkChange, NamesTheConnectionThatWouldLoseItsAddress) {
  Victim& victim = NewServer();
  auto client = ConnectFromPeer(victim, kAddress4);
  client->Say("before");
  EXPECT_EQ(client->Hear(6), "before");
  const std::string checkpoint = Checkpointed(victim, {"--tcp-established"});
  EXPECT_THAT(crctl_({"show", checkpoint}).out, HasSubstr("-> [::ffff:10.77.0.9]"));
  AwaitDismantled();
  const Outcome refused =
      crctl_({"restore", checkpoint, "--tcp-established", "--map", "10.77.0.5=10.77.0.6"});
  EXPECT_TRUE(Refused(refused, "10.77.0.9]"));
  EXPECT_THAT(refused.err, HasSubstr("--tcp-close"));
  Restored(checkpoint, {"--tcp-close", "--map", "10.77.0.5=10.77.0.6"});
  EXPECT_TRUE(victim.GoesOn());
  auto again = ConnectFromPeer(victim, "10.77.0.6");
  again->Say("again");
  EXPECT_EQ(again->Hear(5), "again");
}

TEST_F(NetworkChange, LetsGoOfANamespaceThatWasHeldOnceItIsClear) {
  network_mode_ = "hold";
  Victim& victim = NewServer();
  const std::string checkpoint = Checkpointed(victim);
  ASSERT_EQ(Ip("link show vc0").exit, 0);
  EXPECT_TRUE(Refused(crctl_({"restore", checkpoint, "--map", "br0=br7"}), "br7"));
  EXPECT_TRUE(
      Refused(crctl_({"restore", checkpoint, "--map", "10.77.0.5=192.0.2.1"}), "192.0.2.1"));
  EXPECT_EQ(Ip("link show vc0").exit, 0);
  Restored(checkpoint, {"--map", "10.77.0.5=10.77.0.6"});
  auto client = ConnectFromPeer(victim, "10.77.0.6");
  client->Say("hello");
  EXPECT_EQ(client->Hear(5), "hello");
}

TEST_F(NetworkChange, TakesAFreeAddressThatNobodyHasReservedOrUses) {
  MustIp("address add 10.77.0.3/24 dev eth0", PeerPath());
  Victim& victim = NewServer();
  const std::string checkpoint = Checkpointed(victim);
  AwaitDismantled();
  const auto kept = crctl_.Json({"network", "reservations"})["reservations"];
  ASSERT_EQ(kept.size(), 1U) << kept;
  const std::string network = kept[0]["network"];
  ASSERT_EQ(crctl_({"network", "reserve", network, "10.77.0.2"}).exit, 0);
  const Outcome restored = crctl_({"restore", checkpoint, "--new-address", "--map", "vc0=vc9"});
  ASSERT_EQ(restored.exit, 0) << restored.err;
  EXPECT_THAT(restored.err, HasSubstr("eth0: 10.77.0.4\n"));
  EXPECT_THAT(Ip("address", NetnsOf(victim)).out, Not(HasSubstr("10.77.0.5/")));
  auto client = ConnectFromPeer(victim, "10.77.0.4");
  client->Say("hello");
  EXPECT_EQ(client->Hear(5), "hello");
  const auto answer = crctl_.Json({"network", "reservations", "--all"})["reservations"];
  for (const auto& one : answer) {
    if (one["host_interface"] != "vc9") continue;
    EXPECT_EQ(one["addresses"][0], "10.77.0.4") << answer;
  }
  EXPECT_TRUE(victim.GoesOn());
}

TEST_F(NetworkChange, TakesNoFreeAddressWhereThereIsNoneOrNothingToReplace) {
  Victim& victim = NewServer();
  MustIp("address del 10.77.0.5/24 dev eth0", NetnsOf(victim));
  MustIp("address del fd77::5/64 dev eth0", NetnsOf(victim));
  const std::string checkpoint = Checkpointed(victim);
  AwaitDismantled();
  v1::RestoreRequest request = RestoreOf(checkpoint);
  request.set_new_address(true);
  EXPECT_THAT(api_->Restore(request), FailsBecause("NETWORK_NOT_BUILT"));
  request.set_network(v1::NETWORK_MODE_NONE);
  EXPECT_THAT(api_->Restore(request), FailsBecause("NETWORK_NOT_BUILT"));
  Restored(checkpoint);
}

class NetworkByCriu : public BridgedNetwork {
 protected:
  // With what crd does not build.
  Victim& NewServerBesideABridge() {
    Victim& victim = NewServer();
    MustIp("link add inside0 type bridge", NetnsOf(victim));
    return victim;
  }
};

TEST_F(NetworkByCriu, KeepsConnectionsAndWhatCrdDoesNotBuild) {
  Victim& victim = NewServerBesideABridge();
  MustIp("link set vc0 address 02:00:00:00:01:05");
  auto client = ConnectFromPeer(victim, kAddress4);
  client->Say("before");
  EXPECT_EQ(client->Hear(6), "before");
  const std::string checkpoint = Checkpointed(victim, {"--tcp-established", "--network", "criu"});
  AwaitDismantled();
  client->Say("meanwhile");
  EXPECT_TRUE(Refused(crctl_({"restore", checkpoint, "--tcp-established", "--network", "none"}),
                      "--network criu"));
  Restored(checkpoint, {"--tcp-established", "--network", "criu"});
  EXPECT_EQ(client->Hear(9), "meanwhile");
  const std::string inside = Ip("-d address", NetnsOf(victim)).out;
  for (const char* there : {"inside0", "02:00:00:00:00:05", "10.77.0.5/24", "fd77::5/64"}) {
    EXPECT_THAT(inside, HasSubstr(there));
  }
  const std::string outside = Ip("-o link show vc0").out;
  EXPECT_THAT(outside, HasSubstr("master br0"));
  EXPECT_THAT(outside, HasSubstr("02:00:00:00:01:05"));
  EXPECT_THAT(LocksIn(NetnsOf(victim)), IsEmpty());
}

TEST_F(NetworkByCriu, IsRefusedWhereTheHostHasNoRoomForIt) {
  Victim& victim = NewServerBesideABridge();
  const std::string checkpoint = Checkpointed(victim, {"--network", "criu"});
  AwaitDismantled();
  MustIp("link add vc0 type bridge");
  EXPECT_THAT(crctl_({"check", checkpoint}).out, HasSubstr("vc0"));
  EXPECT_THAT(api_->Restore(RestoreOf(checkpoint)), FailsBecause("HOST_INTERFACE_TAKEN"));
  MustIp("link del vc0");
  Restored(checkpoint);
  EXPECT_TRUE(victim.GoesOn());
}

TEST_F(NetworkByCriu, HasToBeChosenAtTheCheckpoint) {
  const std::string checkpoint = Checkpointed(NewServer());
  EXPECT_TRUE(Refused(crctl_({"restore", checkpoint, "--network", "criu"}), "--network criu"));
}

TEST_F(NetworkByCriu, OrNoneIsWhatANamespaceNeedsThatCannotBeBuilt) {
  Victim& victim = NewServerBesideABridge();
  EXPECT_TRUE(Refused(crctl_({"checkpoint", "--pid", victim.PidText()}), "inside0"));
  const std::string checkpoint = Checkpointed(victim, {"--network", "none"});
  AwaitDismantled();
  EXPECT_THAT(api_->Restore(RestoreOf(checkpoint)), FailsBecause("NETWORK_UNREPRODUCIBLE"));
  Restored(checkpoint, {"--network", "none"});
  EXPECT_TRUE(victim.GoesOn());
}

}  // namespace
}  // namespace crd::testing
