#include "net/ip_text.h"

#include <gtest/gtest.h>
#include <netinet/in.h>

#include "tests/support/result_matchers.h"

namespace crd::net {
namespace {

using ::crd::testing::FailsWith;

TEST(IpTextTest, TextAndBytesAreTheSame) {
  for (const char* text : {"10.77.0.5", "0.0.0.0", "fd77::5", "::", "fe80::1:2"}) {
    ASSERT_OK_AND_ASSIGN(const Bytes bytes, ParseAddress(text));
    EXPECT_EQ(AddressText(bytes), text);
  }
  ASSERT_OK_AND_ASSIGN(const Bytes mac, ParseMac("02:00:ab:cd:ef:0f"));
  EXPECT_EQ(MacText(mac), "02:00:ab:cd:ef:0f");
  ASSERT_OK_AND_ASSIGN(const Prefix prefix, ParsePrefix("fd77::/64"));
  EXPECT_EQ(PrefixText(AF_INET6, prefix.address, prefix.length), "fd77::/64");
  EXPECT_EQ(PrefixText(AF_INET, {}, 0), "0.0.0.0/0");
}

TEST(IpTextTest, RefusesWhatIsNone) {
  for (const char* text : {"", "10.77.0", "10.77.0.256", "fd77:::5", "host", "10.77.0.5 "}) {
    EXPECT_THAT(ParseAddress(text), FailsWith(Code::kInvalidArgument)) << text;
  }
  for (const char* text : {"10.0.0.0", "10.0.0.0/", "10.0.0.0/33", "10.0.0.0/-1", "10.0.0.0/8x"}) {
    EXPECT_THAT(ParsePrefix(text), FailsWith(Code::kInvalidArgument)) << text;
  }
  for (const char* text : {"", "02:00:00:00:00", "02-00-00-00-00-05", "02:00:00:00:00:0g"}) {
    EXPECT_THAT(ParseMac(text), FailsWith(Code::kInvalidArgument)) << text;
  }
}

TEST(IpTextTest, APrefixHoldsItsOwnAddressesOnly) {
  const auto holds = [](const char* prefix, const char* address) {
    return Contains(ParsePrefix(prefix).value(), ParseAddress(address).value());
  };
  EXPECT_TRUE(holds("10.77.0.1/24", "10.77.0.255"));
  EXPECT_FALSE(holds("10.77.0.1/24", "10.77.1.0"));
  EXPECT_TRUE(holds("10.77.0.0/23", "10.77.1.0"));
  EXPECT_TRUE(holds("0.0.0.0/0", "1.2.3.4"));
  EXPECT_FALSE(holds("0.0.0.0/0", "::1"));
  EXPECT_TRUE(holds("fd77::/64", "fd77::ffff"));
  EXPECT_FALSE(holds("fd77::/64", "fd77:0:0:1::"));
}

}  // namespace
}  // namespace crd::net
