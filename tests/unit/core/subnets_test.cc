#include "daemon/core/subnets.h"

#include <gmock/gmock.h>

#include "tests/support/result_matchers.h"

namespace crd {
namespace {

using ::testing::HasSubstr;
using testing::IsOk;
using testing::Refuses;

TEST(Subnets, AreParsedWithTheirGateways) {
  ASSERT_OK_AND_ASSIGN(const auto subnets, ParseSubnets("web", {"10.77.0.0/24", "fd77:0::/64"},
                                                        {"fd77::1", "10.77.0.254"}));
  ASSERT_EQ(subnets.size(), 2U);
  EXPECT_EQ(subnets[0], (Subnet{.prefix = "10.77.0.0/24", .gateway = "10.77.0.254"}));
  EXPECT_EQ(subnets[1], (Subnet{.prefix = "fd77::/64", .gateway = "fd77::1"}));
}

TEST(Subnets, BadOnesAreRefused) {
  for (const char* text : {"", "10.77.0.0", "10.77.0.0/33", "10.77.0/24", "fd77::/129",
                           "nonsense/8", "0.0.0.0/0", "::/0", "10.77.0.0/-1"}) {
    EXPECT_THAT(ParseSubnets("web", {text}, {}), Refuses("SUBNET_INVALID")) << text;
  }
  const auto address = ParseSubnets("web", {"10.77.0.1/24"}, {});
  ASSERT_THAT(address, Refuses("SUBNET_INVALID"));
  EXPECT_THAT(address.error().message, HasSubstr("10.77.0.0/24"));
  EXPECT_THAT(ParseSubnets("web", {"10.77.0.0/24", "10.77.0.128/25"}, {}),
              Refuses("SUBNETS_OVERLAP"));
  EXPECT_THAT(ParseSubnets("web", {"10.77.0.0/24"}, {"10.78.0.1"}),
              Refuses("ADDRESS_OUTSIDE_SUBNET"));
  EXPECT_THAT(ParseSubnets("web", {"10.77.0.0/24"}, {"10.77.0.0"}), Refuses("ADDRESS_NOT_FOR_USE"));
  EXPECT_THAT(ParseSubnets("web", {"10.77.0.0/24"}, {"gateway"}), Refuses("ADDRESS_INVALID"));
}

TEST(Subnets, AddressesAndMacsHaveOneForm) {
  EXPECT_EQ(CanonicalAddress("FD77:0:0::5").value(), "fd77::5");
  EXPECT_THAT(CanonicalAddress("10.77.0.5/24"), Refuses("ADDRESS_INVALID"));
  EXPECT_EQ(CanonicalMac("02:AB:00:00:00:05").value(), "02:ab:00:00:00:05");
  for (const char* text : {"", "02:00:00:00:00", "03:00:00:00:00:05", "00:00:00:00:00:00", "x"}) {
    EXPECT_THAT(CanonicalMac(text), Refuses("MAC_INVALID")) << text;
  }
}

TEST(Subnets, TheFirstFreeAddressIsNobodysElse) {
  const Subnet subnet{.prefix = "10.77.0.0/29", .gateway = "10.77.0.1"};
  EXPECT_EQ(FirstFree(subnet, {}), "10.77.0.2");
  EXPECT_EQ(FirstFree(subnet, {"10.77.0.2", "10.77.0.4"}), "10.77.0.3");
  EXPECT_EQ(FirstFree(subnet, {"10.77.0.2", "10.77.0.3", "10.77.0.4", "10.77.0.5", "10.77.0.6"}),
            "");
  EXPECT_EQ(FirstFree({.prefix = "fd77::/64", .gateway = "fd77::1"}, {"fd77::2"}), "fd77::3");
  EXPECT_EQ(FirstFree({.prefix = "10.77.0.4/31", .gateway = ""}, {"10.77.0.4"}), "10.77.0.5");
  EXPECT_EQ(FirstFree({.prefix = "255.255.255.254/31", .gateway = ""},
                      {"255.255.255.254", "255.255.255.255"}),
            "");
}

TEST(Subnets, AddressesThatStandForAllAreForNobody) {
  const Subnet subnet{.prefix = "10.77.0.0/24", .gateway = "10.77.0.1"};
  EXPECT_EQ(WhyNotForUse(subnet, "10.77.0.5"), "");
  for (const char* address : {"10.77.0.0", "10.77.0.1", "10.77.0.255"}) {
    EXPECT_NE(WhyNotForUse(subnet, address), "") << address;
  }
}

}  // namespace
}  // namespace crd
