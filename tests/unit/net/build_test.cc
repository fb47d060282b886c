#include "net/build.h"

#include <chrono>
#include <fstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "net/describe.h"
#include "tests/support/result_matchers.h"
#include "tests/unit/net/namespaces.h"

namespace crd::net {
namespace {

using ::crd::testing::IsOk;
using ::crd::testing::Refuses;
using ::testing::Eq;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr auto kPatience = std::chrono::seconds(20);

class BuildTest : public testing::NamespacesTest {
 protected:
  // What a container engine would have made: eth0 and eth1 on br0, with all that can be said.
  Description MakeAndDescribe() {
    auto netns = MakeNetns();
    EXPECT_TRUE(netns.ok());
    MakeBridge("br0");
    MakeVeth(netns->ref(), "eth0", "vc0", "br0");
    MakeVeth(netns->ref(), "eth1", "vc1", "br0");
    Configure(netns->ref());
    auto description = Describe(netns->ref());
    EXPECT_TRUE(description.ok()) << ::testing::PrintToString(description);
    // Not only the namespace: its end may take the kernel a while.
    EXPECT_TRUE(Ip("link del vc0") && Ip("link del vc1"));
    return description.ok() ? *description : Description{};
  }
  static void Configure(FdRef netns) {
    for (const char* command : {
             "link set eth0 address 02:00:00:00:00:05 mtu 1400 alias first",
             "link set eth1 address 02:00:00:00:01:05 txqueuelen 77",
             "address add 10.77.0.5/24 broadcast + dev eth0 label eth0:one",
             "address add 10.77.0.6/24 dev eth0",
             "address add 10.78.0.6/24 dev eth0 noprefixroute",
             "address add 10.1.1.1 peer 10.1.1.2/32 dev eth1",
             "address add 127.1.0.1/8 dev lo",
             "-6 address flush dev eth0",
             "-6 address flush dev eth1",
             "address add fe80::5/64 dev eth0 nodad",
             "address add fd77::5/64 dev eth0 nodad",
             "address add fd77::6/64 dev eth0 nodad",
             "address add fd77::7/64 dev eth0 nodad valid_lft 10000000 preferred_lft 0",
             "route add default via 10.77.0.1 src 10.77.0.6 metric 7 mtu 1300",
             "route add 10.5.0.0/16 dev eth1 scope link",
             "route add 10.6.0.0/16 via inet6 fe80::1 dev eth0",
             "route add 10.7.0.0/16 via 10.200.0.1 dev eth0 onlink",
             "route add blackhole 10.9.0.0/16 table 100",
             "-6 route add default via fd77::1 dev eth0 metric 5",
             "-6 route add unreachable fd99::/32",
             "rule add from 10.77.0.5 fwmark 0x1/0xff table 100 priority 50",
             "rule add not to 10.0.0.0/8 iif eth0 lookup 100 suppress_prefixlength 0 priority 51",
             "-6 rule add from fd77::/64 oif eth0 table 100 priority 52",
             "rule del priority 32767",
             "neighbour add 10.77.0.9 lladdr 02:00:00:00:00:09 dev eth0",
             "neighbour add fd77::9 lladdr 02:00:00:00:00:09 dev eth0",
         }) {
      EXPECT_TRUE(IpIn(netns, command)) << command;
    }
    static_cast<void>(RunInNetns(netns, []() -> Result<void> {
      std::ofstream("/proc/sys/net/ipv4/ip_forward") << "1";
      std::ofstream("/proc/sys/net/ipv4/ip_unprivileged_port_start") << "80";
      std::ofstream("/proc/sys/net/ipv6/conf/eth0/hop_limit") << "33";
      return {};
    }));
  }
  static Deadline Soon() { return SteadyClock::now() + std::chrono::milliseconds(20); }
  // Times go on.
  static Description WithoutTimes(Description description) {
    for (Interface& interface : description.interfaces) {
      for (Address& address : interface.addresses) address.valid_s = 0;
    }
    return description;
  }
};

TEST_F(BuildTest, WhatIsBuiltIsWhatWasDescribed) {
  const Description before = MakeAndDescribe();
  ASSERT_THAT(before.unreproducible, IsEmpty());
  ASSERT_THAT(CheckBuildable(before, Soon()), IsOk());
  ASSERT_OK_AND_ASSIGN(BuiltNamespace built, BuiltNamespace::Build(before));
  ASSERT_THAT(built.Plug(), IsOk());
  ASSERT_OK_AND_ASSIGN(const Description after, Describe(built.netns()));
  ASSERT_EQ(after.interfaces.size(), before.interfaces.size());
  const Description expected = WithoutTimes(before);
  const Description found = WithoutTimes(after);
  for (std::size_t i = 0; i < expected.interfaces.size(); ++i) {
    EXPECT_TRUE(found.interfaces[i] == expected.interfaces[i]) << expected.interfaces[i].name;
  }
  EXPECT_TRUE(found.routes == expected.routes);
  EXPECT_TRUE(found.rules == expected.rules);
  EXPECT_TRUE(found.neighbours == expected.neighbours);
  EXPECT_EQ(found.sysctls, expected.sysctls);
  EXPECT_TRUE(found == expected);
}

TEST_F(BuildTest, ItWorksOnceItIsPluggedInAndNotBefore) {
  const Description description = MakeAndDescribe();
  ASSERT_OK_AND_ASSIGN(BuiltNamespace built, BuiltNamespace::Build(description));
  EXPECT_FALSE(Reaches(built.netns(), "10.77.0.5", std::chrono::milliseconds(50)));
  ASSERT_THAT(built.Plug(), IsOk());
  EXPECT_TRUE(Ip("neighbour flush dev br0"));
  EXPECT_TRUE(Reaches(built.netns(), "10.77.0.5", kPatience));
  EXPECT_TRUE(Reaches(built.netns(), "fd77::5", kPatience));
}

TEST_F(BuildTest, NothingIsLeftOnceItGoes) {
  const Description description = MakeAndDescribe();
  for (int round = 0; round < 3; ++round) {
    ASSERT_OK_AND_ASSIGN(BuiltNamespace built, BuiltNamespace::Build(description));
    ASSERT_THAT(built.Plug(), IsOk());
    EXPECT_TRUE(Ip("link show vc0 >/dev/null"));
  }
  EXPECT_FALSE(Ip("link show vc0 >/dev/null 2>&1"));
  EXPECT_FALSE(Ip("link show vc1 >/dev/null 2>&1"));
}

TEST_F(BuildTest, NothingIsLeftOfWhatFailsInTheMiddle) {
  Description description = MakeAndDescribe();
  description.neighbours.push_back(
      {.interface = "eth0", .address = "10.77.0.10", .mac = "nonsense"});
  EXPECT_FALSE(BuiltNamespace::Build(description).ok());
  EXPECT_FALSE(Ip("link show vc0 >/dev/null 2>&1"));
  description.neighbours.pop_back();
  EXPECT_THAT(CheckBuildable(description, Soon()), IsOk());
  EXPECT_TRUE(BuiltNamespace::Build(description).ok());
}

TEST_F(BuildTest, AKeptNamespaceLivesAsLongAsItsUsers) {
  const Description description = MakeAndDescribe();
  UniqueFd user;
  {
    ASSERT_OK_AND_ASSIGN(BuiltNamespace built, BuiltNamespace::Build(description));
    user.reset(::dup(built.netns().get()));
    built.Keep();
  }
  EXPECT_TRUE(Ip("link show vc0 >/dev/null"));
  user.reset();
  // The kernel cleans up when it gets to it: that is what the patience is for.
  EXPECT_THAT(CheckBuildable(description, SteadyClock::now() + std::chrono::seconds(30)), IsOk());
}

TEST_F(BuildTest, AHostWithoutBridgeRoutesToIt) {
  ASSERT_OK_AND_ASSIGN(UniqueFd netns, MakeNetns());
  MakeVeth(netns.ref(), "eth0", "vr0", "");
  ASSERT_TRUE(IpIn(netns.ref(), "address add 10.90.0.2/32 dev eth0"));
  ASSERT_TRUE(IpIn(netns.ref(), "route add 169.254.1.1 dev eth0 scope link"));
  ASSERT_TRUE(IpIn(netns.ref(), "route add default via 169.254.1.1 dev eth0"));
  ASSERT_TRUE(Ip("address add 169.254.1.1/32 dev vr0"));
  ASSERT_TRUE(Ip("route add 10.90.0.2 dev vr0 scope link"));
  ASSERT_OK_AND_ASSIGN(const Description before, Describe(netns.ref()));
  ASSERT_TRUE(Ip("link del vr0"));
  ASSERT_OK_AND_ASSIGN(BuiltNamespace built, BuiltNamespace::Build(before));
  ASSERT_THAT(built.Plug(), IsOk());
  EXPECT_TRUE(Reaches(built.netns(), "10.90.0.2", kPatience));
}

TEST_F(BuildTest, AThousandAddresses) {
  Description description = MakeAndDescribe();
  for (int i = 0; i < 1000; ++i) {
    description.interfaces[1].addresses.push_back(
        {.local = fmt::format("10.80.{}.{}", i / 250, i % 250 + 1), .prefix_length = 32});
  }
  ASSERT_OK_AND_ASSIGN(BuiltNamespace built, BuiltNamespace::Build(description));
  ASSERT_OK_AND_ASSIGN(const Description after, Describe(built.netns()));
  EXPECT_EQ(after.interfaces[1].addresses.size(), description.interfaces[1].addresses.size());
}

TEST_F(BuildTest, AMacvlanComesBack) {
  ASSERT_OK_AND_ASSIGN(UniqueFd netns, MakeNetns());
  ASSERT_TRUE(Ip("link add up0 type veth peer name up1"));
  ASSERT_TRUE(Ip("link set up0 up") && Ip("link set up1 up"));
  ASSERT_TRUE(Ip("link add link up0 name mv0 netns /proc/" + std::to_string(::getpid()) + "/fd/" +
                 std::to_string(netns.get()) + " type macvlan mode bridge"));
  ASSERT_TRUE(IpIn(netns.ref(), "link set mv0 up") && IpIn(netns.ref(), "link set lo up"));
  ASSERT_TRUE(IpIn(netns.ref(), "address add 10.91.0.2/24 dev mv0"));
  ASSERT_OK_AND_ASSIGN(const Description before, Describe(netns.ref()));
  ASSERT_TRUE(IpIn(netns.ref(), "link del mv0"));
  ASSERT_OK_AND_ASSIGN(BuiltNamespace built, BuiltNamespace::Build(before));
  ASSERT_OK_AND_ASSIGN(const Description after, Describe(built.netns()));
  EXPECT_EQ(after.interfaces.back().addresses.front().local, "10.91.0.2");
  EXPECT_EQ(after.interfaces.back().mac, before.interfaces.back().mac);
  EXPECT_EQ(after.interfaces.back().mode, before.interfaces.back().mode);
}

TEST_F(BuildTest, ABridgeThatIsGoneOrAnotherIsRefused) {
  const Description description = MakeAndDescribe();
  ASSERT_TRUE(Ip("address del 10.77.0.1/24 dev br0"));
  ASSERT_TRUE(Ip("address add 10.99.0.1/24 dev br0"));
  const auto moved = CheckBuildable(description, Soon());
  EXPECT_THAT(moved, Refuses("BRIDGE_OF_ANOTHER_SUBNET"));
  EXPECT_THAT(moved.error().message, HasSubstr("10.99.0.1/24"));
  ASSERT_TRUE(Ip("link del br0"));
  EXPECT_THAT(CheckBuildable(description, Soon()), Refuses("BRIDGE_GONE"));
  ASSERT_TRUE(Ip("link add br0 type veth peer name br1"));
  EXPECT_THAT(CheckBuildable(description, Soon()), Refuses("NOT_A_BRIDGE"));
}

TEST_F(BuildTest, NamesAndMacsOfOthersAreRefused) {
  Description description = MakeAndDescribe();
  ASSERT_TRUE(Ip("link add vc0 type bridge"));
  const auto taken = CheckBuildable(description, Soon());
  EXPECT_THAT(taken, Refuses("HOST_INTERFACE_TAKEN"));
  EXPECT_THAT(taken.error().message, HasSubstr("bridge"));
  ASSERT_TRUE(Ip("link del vc0"));

  ASSERT_TRUE(Ip("link add other address 02:00:00:00:00:05 type veth peer name other1"));
  const auto used = CheckBuildable(description, Soon());
  EXPECT_THAT(used, Refuses("MAC_IN_USE"));
  EXPECT_THAT(used.error().message, HasSubstr("'other'"));
  ASSERT_TRUE(Ip("link del other"));

  ASSERT_TRUE(Ip("link add other type veth peer name other1"));
  ASSERT_TRUE(Ip("link set other master br0"));
  ASSERT_TRUE(Run("bridge fdb add 02:00:00:00:00:05 dev other master"));
  EXPECT_THAT(CheckBuildable(description, Soon()).error().message,
              HasSubstr("port 'other' of bridge 'br0'"));
  ASSERT_TRUE(Ip("link del other"));

  description.interfaces[1].host_end->name = "much-too-long-a-name";
  EXPECT_THAT(CheckBuildable(description, Soon()), Refuses("INTERFACE_NAME_INVALID"));
}

TEST_F(BuildTest, WhatCannotBeMadeAgainIsRefused) {
  const Description description{.unreproducible = {"interface 'ib0' is of kind ipoib"}};
  const auto refused = CheckBuildable(description, Soon());
  EXPECT_THAT(refused, Refuses("NETWORK_UNREPRODUCIBLE"));
  EXPECT_THAT(refused.error().message, HasSubstr("ipoib"));
}

TEST_F(BuildTest, OnlyANetworkNamespaceIsOne) {
  EXPECT_THAT(OpenNetns("/proc/self/ns/net"), IsOk());
  EXPECT_THAT(OpenNetns("/proc/self/ns/uts"), Refuses("NOT_A_NETWORK_NAMESPACE"));
  EXPECT_THAT(OpenNetns("/dev/null"), Refuses("NOT_A_NETWORK_NAMESPACE"));
  EXPECT_THAT(OpenNetns("/nowhere"), Refuses("NETNS_NOT_FOUND"));
}

}  // namespace
}  // namespace crd::net
