#include "net/describe.h"

#include <algorithm>
#include <fstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <linux/if_addr.h>
#include <linux/rtnetlink.h>
#include <net/if.h>

#include "tests/support/result_matchers.h"
#include "tests/unit/net/namespaces.h"

namespace crd::net {
namespace {

using ::testing::AllOf;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::Field;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Pair;
using ::testing::SizeIs;

class DescribeTest : public testing::NamespacesTest {
 protected:
  void SetUp() override {
    NamespacesTest::SetUp();
    ASSERT_OK_AND_ASSIGN(netns_, MakeNetns());
  }
  Description Described() {
    auto description = Describe(netns_.ref());
    EXPECT_TRUE(description.ok()) << ::testing::PrintToString(description);
    return description.ok() ? *description : Description{};
  }
  static const Interface& Find(const Description& description, const std::string& name) {
    const auto found =
        std::find_if(description.interfaces.begin(), description.interfaces.end(),
                     [&](const Interface& interface) { return interface.name == name; });
    EXPECT_NE(found, description.interfaces.end()) << name;
    return *found;
  }
  UniqueFd netns_;
};

TEST_F(DescribeTest, ANewNamespaceHasALoopbackThatIsDown) {
  const Description description = Described();
  ASSERT_THAT(description.interfaces, SizeIs(1));
  EXPECT_EQ(description.interfaces[0].name, "lo");
  EXPECT_EQ(description.interfaces[0].kind, "loopback");
  EXPECT_FALSE(description.interfaces[0].up());
  EXPECT_THAT(description.routes, IsEmpty());
  EXPECT_THAT(description.sysctls, IsEmpty());
  EXPECT_THAT(description.unreproducible, IsEmpty());
}

TEST_F(DescribeTest, AVethHasItsOuterEndAndItsBridge) {
  MakeBridge("br0");
  MakeVeth(netns_.ref(), "eth0", "vc1", "br0");
  ASSERT_TRUE(IpIn(netns_.ref(), "link set eth0 address 02:00:00:00:00:05 mtu 1400"));
  ASSERT_TRUE(Ip("link set vc1 address 02:00:00:00:00:06"));
  ASSERT_TRUE(Ip("link set vc1 type bridge_slave hairpin on"));
  const Description description = Described();
  const Interface eth0 = Find(description, "eth0");
  EXPECT_EQ(eth0.kind, "veth");
  EXPECT_EQ(eth0.mac, "02:00:00:00:00:05");
  EXPECT_EQ(eth0.mtu, 1400U);
  EXPECT_TRUE(eth0.up());
  ASSERT_TRUE(eth0.host_end.has_value());
  EXPECT_EQ(eth0.host_end->name, "vc1");
  EXPECT_EQ(eth0.host_end->mac, "02:00:00:00:00:06");
  EXPECT_TRUE(eth0.host_end->up);
  ASSERT_TRUE(eth0.host_end->port.has_value());
  EXPECT_EQ(eth0.host_end->port->bridge, "br0");
  EXPECT_TRUE(eth0.host_end->port->hairpin);
  EXPECT_THAT(eth0.host_end->port->bridge_addresses, ElementsAre("10.77.0.1/24", "fd77::1/64"));
  EXPECT_THAT(description.unreproducible, IsEmpty());
}

TEST_F(DescribeTest, VlansOfThePortAreSaid) {
  if (!Ip("link add br0 type bridge vlan_filtering 1")) {
    GTEST_SKIP() << "the kernel has no VLAN filtering (CONFIG_BRIDGE_VLAN_FILTERING)";
  }
  MakeVeth(netns_.ref(), "eth0", "vc1", "br0");
  ASSERT_TRUE(Run("bridge vlan del dev vc1 vid 1"));
  ASSERT_TRUE(Run("bridge vlan add dev vc1 vid 7 pvid untagged"));
  ASSERT_TRUE(Run("bridge vlan add dev vc1 vid 9"));
  const Description description = Described();
  EXPECT_THAT(
      Find(description, "eth0").host_end->port->vlans,
      ElementsAre(BridgeVlan{.id = 7, .pvid = true, .untagged = true}, BridgeVlan{.id = 9}));
}

TEST_F(DescribeTest, AddressesOfBothFamiliesInTheirOrder) {
  MakeVeth(netns_.ref(), "eth0", "vc1", "");
  ASSERT_TRUE(IpIn(netns_.ref(), "address add 10.77.0.5/24 broadcast + dev eth0 label eth0:one"));
  ASSERT_TRUE(IpIn(netns_.ref(), "address add 10.77.0.6/24 dev eth0"));
  ASSERT_TRUE(IpIn(netns_.ref(), "address add 10.1.1.1 peer 10.1.1.2/32 dev eth0"));
  ASSERT_TRUE(IpIn(netns_.ref(), "address add fd77::5/64 dev eth0 nodad noprefixroute"));
  const Description description = Described();
  const Interface eth0 = Find(description, "eth0");
  ASSERT_GE(eth0.addresses.size(), 4U);
  EXPECT_EQ(eth0.addresses[0], (Address{.local = "10.77.0.5",
                                        .prefix_length = 24,
                                        .broadcast = "10.77.0.255",
                                        .label = "eth0:one",
                                        .flags = IFA_F_PERMANENT}));
  EXPECT_EQ(eth0.addresses[1].local, "10.1.1.1");
  EXPECT_EQ(eth0.addresses[1].peer, "10.1.1.2");
  EXPECT_EQ(eth0.addresses[2].flags, static_cast<std::uint32_t>(IFA_F_PERMANENT | IFA_F_SECONDARY));
  EXPECT_THAT(eth0.addresses,
              Contains(AllOf(Field(&Address::local, "fd77::5"), Field(&Address::prefix_length, 64),
                             Field(&Address::flags, static_cast<std::uint32_t>(
                                                        IFA_F_PERMANENT | IFA_F_NOPREFIXROUTE)))));
}

TEST_F(DescribeTest, RoutesRulesAndNeighboursThatSomebodySet) {
  MakeVeth(netns_.ref(), "eth0", "vc1", "");
  ASSERT_TRUE(IpIn(netns_.ref(), "address add 10.77.0.5/24 dev eth0"));
  ASSERT_TRUE(
      IpIn(netns_.ref(), "route add default via 10.77.0.1 src 10.77.0.5 metric 7 mtu 1300"));
  ASSERT_TRUE(IpIn(netns_.ref(), "route add blackhole 10.9.0.0/16 table 100"));
  ASSERT_TRUE(IpIn(netns_.ref(), "rule add from 10.77.0.5 fwmark 0x1 table 100 priority 50"));
  ASSERT_TRUE(IpIn(netns_.ref(), "neighbour add 10.77.0.9 lladdr 02:00:00:00:00:09 dev eth0"));
  const Description description = Described();
  // Those that others may need to be there come first.
  ASSERT_THAT(description.routes, SizeIs(2));
  EXPECT_EQ(description.routes[0].destination, "10.9.0.0/16");
  EXPECT_EQ(description.routes[0].table, 100U);
  EXPECT_EQ(description.routes[0].type, RTN_BLACKHOLE);
  EXPECT_EQ(description.routes[1].destination, "0.0.0.0/0");
  EXPECT_EQ(description.routes[1].gateway, "10.77.0.1");
  EXPECT_EQ(description.routes[1].interface, "eth0");
  EXPECT_EQ(description.routes[1].preferred_source, "10.77.0.5");
  EXPECT_EQ(description.routes[1].priority, 7U);
  EXPECT_THAT(description.routes[1].metrics, ElementsAre(Pair(RTAX_MTU, 1300U)));
  EXPECT_THAT(description.rules,
              Contains(AllOf(Field(&Rule::priority, 50U), Field(&Rule::source, "10.77.0.5/32"),
                             Field(&Rule::mark, 1U), Field(&Rule::table, 100U))));
  EXPECT_THAT(description.neighbours,
              ElementsAre(Neighbour{
                  .interface = "eth0", .address = "10.77.0.9", .mac = "02:00:00:00:00:09"}));
}

TEST_F(DescribeTest, WhatCannotBeMadeAgainIsNamed) {
  MakeVeth(netns_.ref(), "eth0", "vc1", "");
  ASSERT_TRUE(IpIn(netns_.ref(), "link add inside0 type bridge"));
  ASSERT_TRUE(IpIn(netns_.ref(), "link add inner type veth peer name outer"));
  ASSERT_TRUE(IpIn(netns_.ref(), "address add 10.77.0.5/24 dev eth0"));
  ASSERT_TRUE(
      IpIn(netns_.ref(), "route add 10.8.0.0/16 nexthop via 10.77.0.1 nexthop via 10.77.0.2"));
  ASSERT_TRUE(IpIn(netns_.ref(), "rule add ipproto tcp table 100 priority 50"));
  static_cast<void>(RunInNetns(netns_.ref(), []() -> Result<void> {
    EXPECT_TRUE(Run("nft add table inet theirs"));
    EXPECT_TRUE(Run("nft add table inet CRIU-1"));
    return {};
  }));
  EXPECT_THAT(Described().unreproducible,
              ::testing::UnorderedElementsAre(
                  HasSubstr("'inside0' is of kind bridge"), HasSubstr("other end of 'inner'"),
                  HasSubstr("other end of 'outer'"), HasSubstr("10.8.0.0/16"),
                  HasSubstr("priority 50"), HasSubstr("inet theirs")));
}

TEST_F(DescribeTest, AMacvlanHasItsParentAndMode) {
  ASSERT_TRUE(Ip("link add up0 type veth peer name up1"));
  ASSERT_TRUE(Ip("link set up0 up"));
  ASSERT_TRUE(Ip("link add link up0 name mv0 netns /proc/" + std::to_string(::getpid()) + "/fd/" +
                 std::to_string(netns_.get()) + " type macvlan mode bridge"));
  const Description description = Described();
  EXPECT_EQ(Find(description, "mv0").kind, "macvlan");
  EXPECT_EQ(Find(description, "mv0").parent, "up0");
  EXPECT_EQ(Find(description, "mv0").mode, 4U);
  EXPECT_THAT(description.unreproducible, IsEmpty());
}

TEST_F(DescribeTest, OnlySettingsThatDifferAreSaid) {
  MakeVeth(netns_.ref(), "eth0", "vc1", "");
  static_cast<void>(RunInNetns(netns_.ref(), []() -> Result<void> {
    std::ofstream("/proc/sys/net/ipv4/ip_unprivileged_port_start") << "80";
    std::ofstream("/proc/sys/net/ipv6/conf/eth0/hop_limit") << "33";
    return {};
  }));
  EXPECT_THAT(Described().sysctls, ElementsAre(Pair("ipv4/ip_unprivileged_port_start", "80"),
                                               Pair("ipv6/conf/eth0/hop_limit", "33")));
}

TEST_F(DescribeTest, AThousandAddressesOnOneInterface) {
  MakeVeth(netns_.ref(), "eth0", "vc1", "");
  std::ofstream batch("batch");
  for (int i = 0; i < 1000; ++i) {
    batch << "address add 10.77." << i / 250 << "." << i % 250 + 1 << "/16 dev eth0\n";
  }
  batch.close();
  ASSERT_TRUE(IpIn(netns_.ref(), "-batch batch"));
  std::remove("batch");
  const Description description = Described();
  const Interface eth0 = Find(description, "eth0");
  EXPECT_EQ(std::count_if(eth0.addresses.begin(), eth0.addresses.end(),
                          [](const Address& address) { return address.prefix_length == 16; }),
            1000);
  EXPECT_EQ(eth0.addresses[999].local, "10.77.3.250");
}

}  // namespace
}  // namespace crd::net
