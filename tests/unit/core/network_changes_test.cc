#include "daemon/core/network_changes.h"

#include <gtest/gtest.h>

#include "tests/support/result_matchers.h"

namespace crd {
namespace {

TreeNetwork OneVeth() {
  net::Interface eth0{.name = "eth0", .index = 2, .kind = "veth", .mac = "02:00:00:00:00:05"};
  eth0.addresses = {{.local = "10.77.0.5", .prefix_length = 24, .broadcast = "10.77.0.255"}};
  eth0.host_end = net::HostEnd{.name = "vc0", .mac = "02:00:00:00:01:05"};
  eth0.host_end->port = net::BridgePort{.bridge = "br0", .bridge_addresses = {"10.77.0.1/16"}};
  TreeNetwork network;
  network.description.interfaces = {eth0};
  network.description.routes = {{.destination = "0.0.0.0/0", .preferred_source = "10.77.0.5"}};
  return network;
}

std::string ReasonOf(const NetworkChanges& changes, const std::vector<OpenSocket>& sockets = {},
                     bool close_connections = false) {
  const auto changed = WithChanges(OneVeth(), changes, sockets, close_connections);
  return changed.ok() ? "" : changed.error().reason;
}

TEST(NetworkChanges, PutAnAddressInThePlaceOfAnother) {
  const auto changed = WithChanges(OneVeth(), {{"10.77.0.5", "10.77.1.6"}}, {}, false);
  ASSERT_TRUE(changed.ok());
  const net::Interface& eth0 = changed->description.interfaces[0];
  EXPECT_EQ(eth0.addresses[0].local, "10.77.1.6");
  EXPECT_EQ(eth0.addresses[0].broadcast, "10.77.1.255");
  EXPECT_EQ(changed->description.routes[0].preferred_source, "10.77.1.6");
  // So that it is looked for in the bridge's subnets.
  EXPECT_EQ(eth0.host_end->port->bridge_addresses.back(), "10.77.1.6/32");
}

TEST(NetworkChanges, PutNamesAndMacsInThePlaceOfOthers) {
  const auto changed = WithChanges(
      OneVeth(), {{"vc0", "vc1"}, {"br0", "br1"}, {"02:00:00:00:00:05", "02:00:00:00:00:06"}}, {},
      false);
  ASSERT_TRUE(changed.ok());
  const net::Interface& eth0 = changed->description.interfaces[0];
  EXPECT_EQ(eth0.mac, "02:00:00:00:00:06");
  EXPECT_EQ(eth0.host_end->name, "vc1");
  EXPECT_EQ(eth0.host_end->port->bridge, "br1");
}

TEST(NetworkChanges, RefuseWhatIsNotThereAndWhatCannotBe) {
  EXPECT_EQ(ReasonOf({{"10.77.0.4", "10.77.0.6"}}), "NETWORK_CHANGE_UNKNOWN");
  EXPECT_EQ(ReasonOf({{"10.77.0.5", "fd77::6"}}), "NETWORK_CHANGE_INVALID");
  EXPECT_EQ(ReasonOf({{"10.77.0.5", "x"}}), "NETWORK_CHANGE_INVALID");
  EXPECT_EQ(ReasonOf({{"02:00:00:00:00:05", "ff:ff:ff:ff:ff:ff"}}), "NETWORK_CHANGE_INVALID");
}

TEST(NetworkChanges, NameTheSocketsThatWouldLoseTheirAddress) {
  const NetworkChanges change = {{"10.77.0.5", "10.77.0.6"}};
  for (const char* local : {"10.77.0.5:80", "[::ffff:10.77.0.5]:80"}) {
    const OpenSocket connection{.protocol = "tcp", .local = local, .peer = "10.77.0.9:4000"};
    EXPECT_EQ(ReasonOf(change, {connection}), "CONNECTION_LOSES_ADDRESS");
    EXPECT_EQ(ReasonOf(change, {connection}, /*close_connections=*/true), "");
    const OpenSocket listener{.protocol = "tcp", .local = local, .peer = ""};
    EXPECT_EQ(ReasonOf(change, {listener}, /*close_connections=*/true), "SOCKET_LOSES_ADDRESS");
  }
  const OpenSocket anywhere{.protocol = "tcp", .local = "[::]:80", .peer = ""};
  EXPECT_EQ(ReasonOf(change, {anywhere}), "");
  // Closed connections do not lose what does not change.
  EXPECT_EQ(ReasonOf({{"vc0", "vc1"}}, {{.protocol = "tcp", .local = "10.77.0.5:80"}}), "");
}

}  // namespace
}  // namespace crd
