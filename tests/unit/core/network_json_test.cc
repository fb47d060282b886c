#include "daemon/core/network_json.h"

#include <gtest/gtest.h>
#include <net/if.h>
#include <nlohmann/json.hpp>

#include "tests/support/result_matchers.h"

namespace crd {
namespace {

using ::crd::testing::FailsWith;

// Every member differs from its default, so that none can be forgotten.
net::Description Everything() {
  const net::Address address{.local = "10.77.0.5",
                             .prefix_length = 24,
                             .peer = "10.77.0.6",
                             .broadcast = "10.77.0.255",
                             .label = "eth0:one",
                             .scope = 253,
                             .flags = 0x80,
                             .route_priority = 9,
                             .preferred_s = 10,
                             .valid_s = 20};
  const net::Route route{.destination = "::/0",
                         .source = "fd77::/64",
                         .table = 254,
                         .protocol = 4,
                         .scope = 1,
                         .type = 2,
                         .tos = 3,
                         .flags = 4,
                         .gateway = "fe80::1",
                         .interface = "eth0",
                         .preferred_source = "fd77::5",
                         .priority = 5,
                         .expires_s = 6,
                         .preference = 1,
                         .metrics = {{2, 1300}, {3, 4}}};
  const net::BridgePort port{.bridge = "br0",
                             .bridge_addresses = {"10.77.0.1/24"},
                             .vlans = {{.id = 7, .pvid = true, .untagged = true}},
                             .hairpin = true,
                             .isolated = true};
  const net::HostEnd end{.name = "vc0",
                         .mac = "02:00:00:00:00:06",
                         .mtu = 1400,
                         .up = true,
                         .port = port,
                         .addresses = {address},
                         .routes = {route}};
  const net::Interface interface {
    .name = "eth0", .index = 7, .kind = "veth", .mac = "02:00:00:00:00:05", .mtu = 1400,
    .flags = IFF_UP, .alias = "first", .transmit_queue = 77, .address_generation = 1,
    .addresses = {address}, .host_end = end, .parent = "up0", .mode = 4
  };
  const net::Rule rule{.family = 2,
                       .priority = 50,
                       .action = 1,
                       .table = 100,
                       .source = "10.0.0.0/8",
                       .destination = "10.1.0.0/16",
                       .in_interface = "eth0",
                       .out_interface = "eth1",
                       .tos = 8,
                       .mark = 1,
                       .mask = 255,
                       .flags = 2,
                       .suppress_prefix_length = 0,
                       .protocol = 4};
  return {.interfaces = {interface},
          .routes = {route},
          .rules = {rule},
          .neighbours = {{.interface = "eth0",
                          .address = "10.77.0.9",
                          .mac = "02:00:00:00:00:09",
                          .flags = 0x80}},
          .sysctls = {{"ipv4/ip_forward", "1"}},
          .unreproducible = {"something"}};
}

TEST(NetworkJsonTest, WhatIsWrittenIsRead) {
  const net::Description everything = Everything();
  ASSERT_OK_AND_ASSIGN(const net::Description read, NetworkFromJson(ToJson(everything)));
  EXPECT_TRUE(read == everything);
  ASSERT_OK_AND_ASSIGN(const net::Description nothing, NetworkFromJson(ToJson({})));
  EXPECT_TRUE(nothing == net::Description{});
}

TEST(NetworkJsonTest, WrongTypesAreRefusedWhereverTheyAre) {
  for (const char* path :
       {"/interfaces/0/index", "/interfaces/0/addresses/0/local", "/interfaces/0/host_end/mtu",
        "/interfaces/0/host_end/port/vlans/0/id", "/routes/0/metrics", "/sysctls", "/rules"}) {
    nlohmann::json changed = ToJson(Everything());
    nlohmann::json& member = changed[nlohmann::json::json_pointer(path)];
    ASSERT_FALSE(member.is_null()) << path;
    member = true;
    EXPECT_THAT(NetworkFromJson(changed), FailsWith(Code::kDataLoss)) << path;
  }
}

}  // namespace
}  // namespace crd
