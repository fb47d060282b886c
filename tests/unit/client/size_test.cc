#include "client/size.h"

#include <cstdint>

#include <gtest/gtest.h>

#include "tests/support/result_matchers.h"

namespace crd::client {
namespace {

using crd::testing::FailsWith;

std::uint64_t Bytes(std::string_view text) {
  const auto parsed = ParseSize(text);
  return parsed.ok() ? *parsed : 0;
}

TEST(ParseSize, CountsInPowersOf1024) {
  EXPECT_EQ(Bytes("4096"), 4096U);
  EXPECT_EQ(Bytes("4096B"), 4096U);
  EXPECT_EQ(Bytes("64K"), 65536U);
  EXPECT_EQ(Bytes("1M"), 1U << 20U);
  EXPECT_EQ(Bytes("2GiB"), 2ULL << 30U);
  EXPECT_EQ(Bytes("3T"), 3ULL << 40U);
}

TEST(ParseSize, RefusesWhatIsNoSize) {
  for (const char* text : {"", "M", "-1", "1.5M", "1MB", "1k", "1 M", "1X", "0", "0K", "1iB",
                           "99999999999999999999", "99999999T"}) {
    EXPECT_THAT(ParseSize(text), FailsWith(Code::kInvalidArgument)) << text;
  }
}

TEST(FormatSize, IsShort) {
  EXPECT_EQ(FormatSize(0), "0 B");
  EXPECT_EQ(FormatSize(1023), "1023 B");
  EXPECT_EQ(FormatSize(1536), "1.5 KiB");
  EXPECT_EQ(FormatSize(14'050'918), "13.4 MiB");
  EXPECT_EQ(FormatSize(128ULL << 20U), "128 MiB");
  EXPECT_EQ(FormatSize((1ULL << 30U) - 1), "1.0 GiB");
  EXPECT_EQ(FormatSize(UINT64_MAX), "16.0 EiB");
}

}  // namespace
}  // namespace crd::client
