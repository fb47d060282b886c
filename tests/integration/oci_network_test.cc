// Containers of real runtimes with interfaces of their own, on a bridge.
#include <filesystem>
#include <memory>
#include <string>

#include "tests/integration/support/bridged_network.h"
#include "tests/integration/support/oci_container.h"
#include "tests/integration/support/oci_users.h"

namespace crd::testing {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

constexpr int kPort = 7000;

// A container that echoes on port 7000.
class OciNetwork : public BridgedNetwork, public ::testing::WithParamInterface<Flavour> {
 protected:
  void SetUp() override {
    BridgedNetwork::SetUp();
    container_ = std::make_unique<OciContainer>(reaper_, dir_.path(), GetParam());
    // In whose user namespace somebody may look for his root.
    std::filesystem::permissions(
        dir_.path(), std::filesystem::perms::owner_all | std::filesystem::perms::others_exec);
    std::filesystem::create_symlink("busybox", container_->bundle() + "/rootfs/bin/nc");
  }
  void TearDown() override {
    container_.reset();
    if (!name_.empty()) RunProgram(reaper_, {"ip", "netns", "delete", name_});
    BridgedNetwork::TearDown();
  }

  static void Echo(nlohmann::json& config) {
    config["process"]["args"] = {"/bin/sh", "-c",
                                 "echo 1 >/data/count; exec nc -ll -p 7000 -e /bin/cat"};
  }
  void RunWithItsOwn() {
    ASSERT_TRUE(container_->Run(Echo));
    Wire(container_->Pid());
  }
  // In a namespace that somebody has made for it.
  void RunJoined(const OciContainer::Change& change = nullptr) {
    name_ = container_->id();
    joined_ = "/run/netns/" + name_;
    ASSERT_EQ(RunProgram(reaper_, {"ip", "netns", "add", name_}).exit, 0);
    ASSERT_TRUE(container_->Run([&](nlohmann::json& config) {
      Echo(config);
      SetNamespace(config, "network", joined_);
      if (change) change(config);
    }));
    Wire(container_->Pid());
  }
  // With a user namespace, to which its network namespace belongs.
  void RunWithUsers() {
    ChownToUsersRoot(reaper_, *container_);
    ASSERT_TRUE(container_->Run([](nlohmann::json& config) {
      Echo(config);
      MapUsers(config);
      MapNobody(config);
      SetNamespace(config, "cgroup");
    }));
    Wire(container_->Pid());
  }
  std::string CheckpointedContainer(const Crctl::Words& options = {}) {
    Crctl::Words words = {"checkpoint",        container_->id(), "--root",     container_->root(),
                          "--tcp-established", "--network-mode", network_mode_};
    words.insert(words.end(), options.begin(), options.end());
    const Outcome made = crctl_(words);
    EXPECT_EQ(made.exit, 0) << ::testing::PrintToString(made) << crd_.Log();
    return made.Line();
  }
  // Through the runtime, which enters the container's namespaces by what it believes they are.
  void ExpectTheRuntimeIsInStep() {
    EXPECT_EQ(container_->Status(), "running");
    const Outcome exec =
        container_->Runtime({"exec", container_->id(), "/bin/cat", "/proc/net/dev"});
    EXPECT_EQ(exec.exit, 0) << ::testing::PrintToString(exec);
    EXPECT_THAT(exec.out, HasSubstr("eth0"));
  }

  // As Wire() made it, and open.
  void ExpectItsNetwork() {
    ExpectTheRuntimeIsInStep();
    const std::string netns = NetnsOf(container_->Pid());
    EXPECT_THAT(Ip("-o link show vc0").out, HasSubstr("master br0"));
    EXPECT_THAT(Ip("-d address", netns).out, HasSubstr("02:00:00:00:00:05"));
    EXPECT_THAT(Ip("route", netns).out, HasSubstr("default via 10.77.0.1"));
    EXPECT_THAT(LocksIn(netns), IsEmpty());
  }

  std::unique_ptr<OciContainer> container_;
  std::string name_;
  std::string joined_;
};

TEST_P(OciNetwork, GetsItsOwnInterfacesBackAndItsConnectionsGoOn) {
  RunWithItsOwn();
  auto client = ConnectFromPeer(kPort, kAddress4);
  client->Say("before");
  EXPECT_EQ(client->Hear(6), "before");
  const std::string checkpoint = CheckpointedContainer();
  AwaitDismantled();
  EXPECT_EQ(crctl_.Json({"show", checkpoint})["network"]["interfaces"][1]["host_name"], "vc0");
  client->Say("meanwhile");
  Restored(checkpoint, {"--tcp-established"});
  EXPECT_EQ(client->Hear(9), "meanwhile");
  ExpectItsNetwork();
}

TEST_P(OciNetwork, GetsTheNamespaceThatItJoinedBackWhereItWas) {
  RunJoined();
  auto client = ConnectFromPeer(kPort, kAddress4);
  client->Say("before");
  EXPECT_EQ(client->Hear(6), "before");
  const std::string checkpoint = CheckpointedContainer();
  ASSERT_EQ(RunProgram(reaper_, {"ip", "netns", "delete", name_}).exit, 0);
  AwaitDismantled();
  client->Say("meanwhile");
  Restored(checkpoint, {"--tcp-established"});
  EXPECT_EQ(client->Hear(9), "meanwhile");
  EXPECT_EQ(InodeOf(joined_), InodeOf(NetnsOf(container_->Pid())));
  ExpectTheRuntimeIsInStep();
}

TEST_P(OciNetwork, ComesBackIntoTheNamespaceThatItJoinedIfThatIsStillThere) {
  RunJoined();
  auto client = ConnectFromPeer(kPort, kAddress4);
  client->Say("before");
  EXPECT_EQ(client->Hear(6), "before");
  const std::string checkpoint = CheckpointedContainer();
  EXPECT_THAT(LocksIn(joined_), Not(IsEmpty()));
  client->Say("meanwhile");
  const ino_t inode = InodeOf(joined_);
  Restored(checkpoint, {"--tcp-established"});
  EXPECT_EQ(client->Hear(9), "meanwhile");
  EXPECT_EQ(InodeOf(NetnsOf(container_->Pid())), inode);
  EXPECT_THAT(LocksIn(joined_), IsEmpty());
}

TEST_P(OciNetwork, LeavesNothingWhereItJoinedWhenTheRestoreIsRefused) {
  RunJoined();
  const std::string checkpoint = CheckpointedContainer();
  ASSERT_EQ(RunProgram(reaper_, {"ip", "netns", "delete", name_}).exit, 0);
  AwaitDismantled();
  MustIp("address add 10.77.0.5/24 dev eth0", PeerPath());
  EXPECT_TRUE(Refused(crctl_({"restore", checkpoint, "--tcp-established"}), "10.77.0.5"));
  EXPECT_FALSE(std::filesystem::exists(joined_));
  EXPECT_EQ(container_->Status(), "stopped");
  MustIp("address del 10.77.0.5/24 dev eth0", PeerPath());
  Restored(checkpoint, {"--tcp-established"});
  ExpectTheRuntimeIsInStep();
}

TEST_P(OciNetwork, GetsItsInterfacesBackWithItsUserNamespace) {
  for (const char* mode : {"release", "hold"}) {
    SCOPED_TRACE(mode);
    network_mode_ = mode;
    if (container_->Status().empty()) RunWithUsers();
    auto client = ConnectFromPeer(kPort, kAddress4);
    client->Say("before");
    EXPECT_EQ(client->Hear(6), "before");
    const std::string checkpoint = CheckpointedContainer();
    client->Say("meanwhile");
    EXPECT_EQ(crctl_({"check", checkpoint}).exit, 0);
    Restored(checkpoint, {"--tcp-established"});
    EXPECT_EQ(client->Hear(9), "meanwhile");
    ExpectItsNetwork();
    EXPECT_THAT(crctl_({"network", "reservations"}).out, HasSubstr("active"));
    // Its root has the power over it that it had.
    EXPECT_EQ(container_
                  ->Runtime({"exec", container_->id(), "/bin/busybox", "ip", "link", "set", "eth0",
                             "mtu", "1300"})
                  .exit,
              0);
    EXPECT_THAT(Ip("link show eth0", NetnsOf(container_->Pid())).out, HasSubstr("mtu 1300"));
  }
}

// Which does not belong to the user namespace.
TEST_P(OciNetwork, GetsTheNamespaceThatItJoinedBackBesideAUserNamespace) {
  ChownToUsersRoot(reaper_, *container_);
  RunJoined([](nlohmann::json& config) {
    MapUsers(config);
    LeaveOutSys(config);
  });
  {
    const auto client = ConnectFromPeer(kPort, kAddress4);
    client->Say("before");
    EXPECT_EQ(client->Hear(6), "before");
    EXPECT_TRUE(Refused(
        crctl_({"checkpoint", container_->id(), "--root", container_->root(), "--tcp-established"}),
        "does not belong to its user namespace"));
    client->Say("again");
    EXPECT_EQ(client->Hear(5), "again");
  }
  for (const bool kept : {true, false}) {
    SCOPED_TRACE(kept);
    // Until the last connection has gone for good.
    ASSERT_TRUE(WaitUntil([&] {
      return crctl_({"check", container_->id(), "--root", container_->root()}).exit == 0;
    }));
    const std::string checkpoint = CheckpointedContainer();
    if (!kept) {
      ASSERT_EQ(RunProgram(reaper_, {"ip", "netns", "delete", name_}).exit, 0);
      AwaitDismantled();
    }
    EXPECT_EQ(crctl_({"check", checkpoint}).exit, 0);
    Restored(checkpoint, {"--tcp-established"});
    EXPECT_EQ(container_->Status(), "running");
    EXPECT_EQ(InodeOf(joined_), InodeOf(NetnsOf(container_->Pid())));
    EXPECT_THAT(Ip("-o link show vc0").out, HasSubstr("master br0"));
    EXPECT_THAT(LocksIn(joined_), IsEmpty());
    EXPECT_TRUE(ConnectFromPeer(kPort, kAddress4)->connected());
  }
}

TEST_P(OciNetwork, LeavesNothingOfOneWithAUserNamespaceWhenTheRestoreIsRefused) {
  network_mode_ = "hold";
  RunWithUsers();
  const std::string checkpoint = CheckpointedContainer();
  EXPECT_EQ(Ip("link show vc0").exit, 0);
  for (const std::string& where : {std::string("host"), "netns=" + PeerPath()}) {
    EXPECT_TRUE(Refused(crctl_({"restore", checkpoint, "--tcp-established", "--network", where}),
                        "has a user namespace"));
  }
  EXPECT_EQ(Ip("link show vc0").exit, 0);
  const std::string data = container_->data();
  std::filesystem::rename(data, data + ".away");
  EXPECT_TRUE(Refused(crctl_({"restore", checkpoint, "--tcp-established"}), data));
  std::filesystem::rename(data + ".away", data);
  MustIp("address add 10.77.0.5/24 dev eth0", PeerPath());
  EXPECT_TRUE(Refused(crctl_({"restore", checkpoint, "--tcp-established"}), "10.77.0.5"));
  EXPECT_NE(Ip("link show vc0").exit, 0);
  EXPECT_EQ(container_->Status(), "stopped");
  EXPECT_THAT(crctl_({"network", "reservations"}).out, HasSubstr("held"));
  MustIp("address del 10.77.0.5/24 dev eth0", PeerPath());
  Restored(checkpoint, {"--tcp-established"});
  ExpectTheRuntimeIsInStep();
}

TEST_P(OciNetwork, IsNotLeftToCriuWithAUserNamespace) {
  RunWithUsers();
  EXPECT_TRUE(Refused(
      crctl_({"checkpoint", container_->id(), "--root", container_->root(), "--network", "criu"}),
      "has a user namespace"));
}

TEST_P(OciNetwork, ChangesWithItsUserNamespaceOrStaysAway) {
  network_mode_ = "hold";
  RunWithUsers();
  const std::string checkpoint = CheckpointedContainer();
  Restored(checkpoint, {"--tcp-close", "--network", "none"});
  EXPECT_THAT(Ip("-o link", NetnsOf(container_->Pid())).out, Not(HasSubstr("eth0")));
  EXPECT_THAT(Ip("-o link show lo", NetnsOf(container_->Pid())).out, HasSubstr("UP"));
  EXPECT_EQ(container_->Runtime({"kill", container_->id(), "KILL"}).exit, 0);
  EXPECT_TRUE(WaitUntil([&] { return container_->Status() == "stopped"; }));
  Restored(checkpoint, {"--tcp-close", "--map", "10.77.0.5=10.77.0.55"});
  EXPECT_THAT(Ip("address", NetnsOf(container_->Pid())).out, HasSubstr("10.77.0.55"));
  EXPECT_TRUE(ConnectFromPeer(kPort, "10.77.0.55")->connected());
}

TEST_P(OciNetwork, CanBePutElsewhere) {
  RunWithItsOwn();
  const std::string checkpoint = CheckpointedContainer();
  AwaitDismantled();
  Restored(checkpoint, {"--tcp-established", "--network", "none"});
  EXPECT_THAT(Ip("-o link", NetnsOf(container_->Pid())).out, Not(HasSubstr("eth0")));
  EXPECT_EQ(container_->Runtime({"kill", container_->id(), "KILL"}).exit, 0);
  EXPECT_TRUE(WaitUntil([&] { return container_->Status() == "stopped"; }));
  Restored(checkpoint, {"--tcp-established", "--network", "netns=" + PeerPath()});
  EXPECT_EQ(InodeOf(NetnsOf(container_->Pid())), InodeOf(PeerPath()));
}

TEST_P(OciNetwork, WithNothingButLoopbackHasNoChoice) {
  ASSERT_TRUE(container_->Run());
  const std::string checkpoint = CheckpointedContainer();
  EXPECT_TRUE(Refused(crctl_({"restore", checkpoint, "--tcp-established", "--network", "host"}),
                      "nothing but loopback"));
  Restored(checkpoint, {"--tcp-established", "--network", "none"});
  EXPECT_TRUE(container_->Counts());
}

// What is laid down in a root is not taken back.
TEST_P(OciNetwork, LaysNothingDownWhileAnotherHasItsAddress) {
  const std::string rootfs = container_->bundle() + "/rootfs";
  const std::string base = dir_ / "base";
  std::filesystem::copy(
      rootfs, base,
      std::filesystem::copy_options::recursive | std::filesystem::copy_options::copy_symlinks);
  RunWithItsOwn();
  Spill(rootfs + "/written", "since then");
  const std::string checkpoint = CheckpointedContainer({"--rootfs-diff=" + base});
  AwaitDismantled();
  std::filesystem::remove(rootfs + "/written");
  const Crctl::Words restore = {"restore", checkpoint, "--tcp-established", "--rootfs-diff"};
  ASSERT_EQ(crctl_({"network", "release", "10.77.0.5"}).exit, 0);
  ASSERT_EQ(crctl_({"network", "reserve", "br0", "10.77.0.5", "--for", "db"}).exit, 0);
  EXPECT_TRUE(Refused(crctl_(restore), "db"));
  EXPECT_FALSE(std::filesystem::exists(rootfs + "/written"));
  ASSERT_EQ(crctl_({"network", "release", "10.77.0.5"}).exit, 0);
  Restored(checkpoint, {"--tcp-established", "--rootfs-diff"});
  EXPECT_EQ(Slurp(rootfs + "/written"), "since then");
}

TEST_P(OciNetwork, WhatCannotBeMadeAgainIsNamed) {
  RunWithItsOwn();
  MustIp("link add inside0 type bridge", NetnsOf(container_->Pid()));
  EXPECT_TRUE(
      Refused(crctl_({"checkpoint", container_->id(), "--root", container_->root()}), "inside0"));
}

INSTANTIATE_TEST_SUITE_P(Runtimes, OciNetwork,
                         ::testing::Values(Flavour::kRunc, Flavour::kCrun, Flavour::kRuncV2),
                         [](const auto& test) { return FlavourName(test.param); });

}  // namespace
}  // namespace crd::testing
