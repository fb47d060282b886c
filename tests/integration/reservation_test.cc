// What keeps the addresses of a checkpointed tree for it.
#include <algorithm>
#include <csignal>
#include <string>
#include <vector>

#include <api/v1/network.grpc.pb.h>
#include <sys/mount.h>

#include "tests/integration/support/bridged_network.h"

namespace crd::testing {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

class Reserved : public BridgedNetwork {
 protected:
  void SetUp() override {
    BridgedNetwork::SetUp();
    network_mode_ = "hold";
  }
  std::vector<v1::Reservation> Reservations(bool all = false) {
    grpc::ClientContext context;
    v1::ListReservationsRequest request;
    v1::ListReservationsResponse response;
    request.set_all(all);
    EXPECT_TRUE(v1::NetworkService::NewStub(api_->channel())
                    ->ListReservations(&context, request, &response)
                    .ok());
    return {response.reservations().begin(), response.reservations().end()};
  }
  // The only one.
  v1::Reservation TheReservation() {
    const auto all = Reservations();
    EXPECT_EQ(all.size(), 1U);
    return all.empty() ? v1::Reservation() : all.front();
  }
  [[nodiscard]] std::string PinOf(const std::string& checkpoint) const {
    return crd_.state() + "/netns/" + checkpoint;
  }
  std::vector<std::string> Pins() { return FilesIn(crd_.state() + "/netns"); }
};

class HeldConnection : public Reserved, public ::testing::WithParamInterface<const char*> {};

TEST_P(HeldConnection, SurvivesAndTheKernelAnswersForItsAddressMeanwhile) {
  Victim& victim = NewServer();
  const ino_t inode = InodeOf(NetnsOf(victim));
  auto client = ConnectFromPeer(victim, GetParam());
  client->Say("before");
  EXPECT_EQ(client->Hear(6), "before");
  const std::string checkpoint = Checkpointed(victim, {"--tcp-established"});
  EXPECT_THAT(Ip("-o link show vc0").out, HasSubstr("master br0"));
  EXPECT_EQ(TheReservation().keeping(), v1::NETWORK_KEEPING_HOLD);
  EXPECT_THAT(LocksIn(PinOf(checkpoint)), Not(IsEmpty()));
  EXPECT_THAT(crctl_({"show", checkpoint}).out,
              AllOf(HasSubstr("(hold)"), HasSubstr("network lock:")));
  MustIp("neighbour flush all", PeerPath());
  client->Say("meanwhile");
  EXPECT_TRUE(WaitUntil([&] {
    return Ip(std::string("neighbour show ") + GetParam(), PeerPath())
               .out.find("02:00:00:00:00:05") != std::string::npos;
  }));
  Restored(checkpoint, {"--tcp-established"});
  EXPECT_EQ(client->Hear(9), "meanwhile");
  client->Say("after");
  EXPECT_EQ(client->Hear(5), "after");
  EXPECT_EQ(InodeOf(NetnsOf(victim)), inode);
  EXPECT_THAT(LocksIn(NetnsOf(victim)), IsEmpty());
  EXPECT_THAT(Pins(), IsEmpty());
}

INSTANTIATE_TEST_SUITE_P(Versions, HeldConnection, ::testing::Values(kAddress4, kAddress6),
                         [](const auto& tested) {
                           return tested.param == kAddress4 ? "Ip4" : "Ip6";
                         });

TEST_F(Reserved, ItFollowsItsTree) {
  Victim& victim = NewServer();
  EXPECT_THAT(Reservations(), IsEmpty());
  const std::string checkpoint = Checkpointed(victim);
  v1::Reservation now = TheReservation();
  EXPECT_EQ(now.state(), v1::RESERVATION_STATE_HELD);
  EXPECT_EQ(now.network(), "br0");
  EXPECT_EQ(now.mac(), "02:00:00:00:00:05");
  EXPECT_EQ(now.host_interface(), "vc0");
  EXPECT_EQ(now.interface(), "eth0");
  EXPECT_THAT(now.addresses(), ::testing::UnorderedElementsAre("10.77.0.5", "fd77::5"));
  EXPECT_EQ(now.checkpoint_id(), checkpoint);
  const std::string container = Restored(checkpoint);
  now = TheReservation();
  EXPECT_EQ(now.state(), v1::RESERVATION_STATE_ACTIVE);
  EXPECT_EQ(now.container_id(), container);
  EXPECT_TRUE(Refused(crctl_({"network", "release", "10.77.0.5"}), container));
  victim.Kill();
  EXPECT_THAT(api_->Wait(container), Worked());
  EXPECT_TRUE(WaitUntil([&] { return TheReservation().state() == v1::RESERVATION_STATE_HELD; }));
  EXPECT_EQ(TheReservation().keeping(), v1::NETWORK_KEEPING_RELEASE);
  AwaitDismantled();
  Restored(checkpoint);
  EXPECT_TRUE(victim.GoesOn());
}

TEST_F(Reserved, RemovingTheCheckpointRemovesEverythingAtOnce) {
  const std::string checkpoint = Checkpointed(NewServer(), {"--tcp-established"});
  EXPECT_EQ(crctl_({"rm", checkpoint}).exit, 0);
  EXPECT_NE(Ip("link show vc0").exit, 0);
  EXPECT_THAT(Reservations(), IsEmpty());
  EXPECT_THAT(Pins(), IsEmpty());
  EXPECT_EQ(Reservations(/*all=*/true).size(), 1U);
  EXPECT_EQ(crctl_({"network", "rm", "br0"}).exit, 0);
  EXPECT_EQ(Ip("link show br0").exit, 0) << "somebody's bridge was removed";
}

TEST_F(Reserved, ItOutlivesCrd) {
  Victim& victim = NewServer();
  const ino_t inode = InodeOf(NetnsOf(victim));
  const std::string checkpoint = Checkpointed(victim);
  ASSERT_TRUE(RestartAfterKill9());
  EXPECT_EQ(TheReservation().keeping(), v1::NETWORK_KEEPING_HOLD);
  Restored(checkpoint);
  EXPECT_EQ(InodeOf(NetnsOf(victim)), inode);
  EXPECT_THAT(Pins(), IsEmpty());
  ASSERT_TRUE(RestartAfterKill9());
  EXPECT_EQ(TheReservation().state(), v1::RESERVATION_STATE_ACTIVE);
}

// To crd, namespaces that are gone are what a restart of the host looks like.
TEST_F(Reserved, AfterARestartOfTheHostHoldIsReleaseAndIsShown) {
  Victim& victim = NewServer();
  const std::string checkpoint = Checkpointed(victim);
  ASSERT_EQ(StopCrd(), (ExitStatus{.code = 0}));
  ASSERT_EQ(::umount2(PinOf(checkpoint).c_str(), MNT_DETACH), 0);
  AwaitDismantled();
  ASSERT_TRUE(StartCrd());
  EXPECT_EQ(TheReservation().state(), v1::RESERVATION_STATE_HELD);
  EXPECT_EQ(TheReservation().keeping(), v1::NETWORK_KEEPING_RELEASE);
  EXPECT_THAT(crctl_({"show", checkpoint}).out,
              AllOf(HasSubstr("(release)"), HasSubstr("restart of the host")));
  EXPECT_THAT(Pins(), IsEmpty());
  Restored(checkpoint);
  EXPECT_TRUE(victim.GoesOn());
}

TEST_F(Reserved, ItIsHeldOnWhenCrdIsKilledInARestore) {
  Victim& victim = NewServer();
  const std::string checkpoint = Checkpointed(victim);
  ASSERT_TRUE(RestartWithCriuThatStopsBehind("started"));
  auto call = Begin(RestoreOf(checkpoint));
  ASSERT_GT(AwaitStoppedCriu([&] { return Ready(call); }), 0);
  EXPECT_EQ(TheReservation().state(), v1::RESERVATION_STATE_ACTIVE);
  ASSERT_TRUE(RestartAfterKill9());
  EXPECT_FALSE(call.get().ok());
  EXPECT_EQ(TheReservation().state(), v1::RESERVATION_STATE_HELD);
  EXPECT_EQ(TheReservation().keeping(), v1::NETWORK_KEEPING_HOLD);
  Restored(checkpoint);
  EXPECT_TRUE(victim.GoesOn());
}

TEST_F(Reserved, NothingIsHeldOfACheckpointWhoseCrdWasKilled) {
  Victim& victim = NewServer();
  v1::CheckpointRequest request = CheckpointOf(victim);
  request.set_network_keeping(v1::NETWORK_KEEPING_HOLD);
  ASSERT_TRUE(RestartWithCriuThatStopsBehind("pages begun"));
  auto call = Begin(request);
  ASSERT_GT(AwaitStoppedCriu([&] { return Ready(call); }), 0);
  ASSERT_TRUE(RestartAfterKill9());
  EXPECT_FALSE(call.get().ok());
  EXPECT_THAT(Reservations(), IsEmpty());
  EXPECT_THAT(Pins(), IsEmpty());
  EXPECT_TRUE(victim.GoesOn());
}

TEST_F(Reserved, WhatExpiresIsReleasedByItself) {
  Victim& victim = NewServer();
  const std::string checkpoint = Checkpointed(victim, {"--reserve-for", "50ms"});
  EXPECT_TRUE(WaitUntil([&] { return Reservations().empty(); }));
  EXPECT_TRUE(WaitUntil([&] { return Pins().empty(); }));
  AwaitDismantled();
  Restored(checkpoint);
  EXPECT_EQ(TheReservation().state(), v1::RESERVATION_STATE_ACTIVE);
}

TEST_F(Reserved, AReleasedAddressMayBeGivenToSomebodyElseWhoIsNamedThen) {
  Victim& victim = NewServer();
  const std::string checkpoint = Checkpointed(victim);
  EXPECT_TRUE(Refused(crctl_({"network", "reserve", "br0", "10.77.0.5"}), checkpoint));
  EXPECT_EQ(crctl_({"network", "release", "10.77.0.5"}).exit, 0);
  EXPECT_NE(Ip("link show vc0").exit, 0);
  EXPECT_EQ(crctl_({"network", "reserve", "br0", "10.77.0.5", "--for", "db"}).exit, 0);
  const auto refused = api_->Restore(RestoreOf(checkpoint));
  EXPECT_THAT(refused, FailsBecause("ADDRESS_HELD"));
  EXPECT_THAT(refused.error.message(), HasSubstr("'db'"));
  EXPECT_EQ(crctl_({"network", "release", "10.77.0.5"}).exit, 0);
  Restored(checkpoint);
  EXPECT_TRUE(victim.GoesOn());
}

TEST_F(Reserved, ACheckpointTakesOverWhatWasReservedForIt) {
  Victim& victim = NewServer();
  EXPECT_EQ(crctl_({"network", "create", "web", "--bridge", "br0"}).exit, 0);
  EXPECT_EQ(crctl_({"network", "reserve", "web", "10.77.0.5", "--mac", "02:00:00:00:00:99", "--for",
                    "db"})
                .exit,
            0);
  EXPECT_TRUE(Refused(crctl_({"checkpoint", "--pid", victim.PidText()}), "'db'"));
  EXPECT_TRUE(victim.GoesOn());
  EXPECT_EQ(crctl_({"network", "release", "10.77.0.5"}).exit, 0);
  EXPECT_EQ(crctl_({"network", "reserve", "web", "10.77.0.5"}).exit, 0);
  const std::string checkpoint = Checkpointed(victim);
  EXPECT_EQ(TheReservation().checkpoint_id(), checkpoint);
  EXPECT_EQ(TheReservation().network(), "web");
}

// Of a line of checkpoints any may be restored: they are one container.
TEST_F(Reserved, AnOlderCheckpointOfTheSameTreeMayHaveItsAddresses) {
  Victim& victim = NewServer();
  const std::string older = Checkpointed(victim, {"--leave-running"});
  EXPECT_EQ(TheReservation().state(), v1::RESERVATION_STATE_ACTIVE);
  const std::string younger = Checkpointed(victim);
  EXPECT_EQ(TheReservation().checkpoint_id(), younger);
  EXPECT_EQ(TheReservation().keeping(), v1::NETWORK_KEEPING_HOLD);
  Restored(older);
  EXPECT_TRUE(victim.GoesOn());
  EXPECT_EQ(TheReservation().checkpoint_id(), older);
  EXPECT_THAT(Pins(), IsEmpty());
}

TEST_F(Reserved, RestoredElsewhereItsOwnNetworkIsHeldOn) {
  Victim& victim = NewServer();
  const std::string checkpoint = Checkpointed(victim);
  Restored(checkpoint, {"--network", "none"});
  EXPECT_EQ(TheReservation().state(), v1::RESERVATION_STATE_HELD);
  EXPECT_EQ(TheReservation().keeping(), v1::NETWORK_KEEPING_HOLD);
  EXPECT_EQ(Ip("link show vc0").exit, 0);
}

TEST_F(Reserved, AThousandAddressesOfOneInterfaceAreKept) {
  Victim& victim = NewServer();
  std::string batch;
  for (int number = 0; number < 1000; ++number) {
    batch +=
        fmt::format("address add 10.77.{}.{}/16 dev eth0\n", 1 + number / 250, 1 + number % 250);
  }
  Spill(dir_ / "batch", batch);
  MustIp("-batch " + (dir_ / "batch"), NetnsOf(victim));
  network_mode_ = "release";
  const std::string checkpoint = Checkpointed(victim);
  EXPECT_EQ(TheReservation().addresses_size(), 1002);
  AwaitDismantled();
  Restored(checkpoint);
  const std::string addresses = Ip("-o -4 address show dev eth0", NetnsOf(victim)).out;
  EXPECT_EQ(std::count(addresses.begin(), addresses.end(), '\n'), 1001);
}

TEST_F(Reserved, WithoutEstablishedConnectionsNoLockIsLeft) {
  Victim& victim = NewServer();
  const std::string checkpoint = Checkpointed(victim);
  Restored(checkpoint);
  EXPECT_THAT(LocksIn(NetnsOf(victim)), IsEmpty());
  auto client = ConnectFromPeer(victim, kAddress4);
  client->Say("hello");
  EXPECT_EQ(client->Hear(5), "hello");
}

}  // namespace
}  // namespace crd::testing
