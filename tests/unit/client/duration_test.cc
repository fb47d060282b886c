#include "client/duration.h"

#include <gtest/gtest.h>

#include "tests/support/result_matchers.h"

namespace crd::client {
namespace {

using crd::testing::FailsWith;

std::int64_t Micros(std::string_view text) {
  const auto parsed = ParseDuration(text);
  return parsed.ok() ? parsed->count() : -1;
}

TEST(ParseDuration, TakesNumbersWithUnits) {
  EXPECT_EQ(Micros("7us"), 7);
  EXPECT_EQ(Micros("500ms"), 500'000);
  EXPECT_EQ(Micros("30s"), 30'000'000);
  EXPECT_EQ(Micros("2m"), 120'000'000);
  EXPECT_EQ(Micros("1h30m"), 5'400'000'000);
  EXPECT_EQ(Micros("1h2m3s4ms5us"), 3'723'004'005);
  EXPECT_EQ(Micros("90m"), 5'400'000'000);
}

TEST(ParseDuration, RefusesWhatIsNoDuration) {
  for (const char* text :
       {"", "30", "s", "-5s", "1.5s", "30 s", "5d", "30sec", "1h-5m", "0s", "0h0m", "+5s", "5S"}) {
    EXPECT_THAT(ParseDuration(text), FailsWith(Code::kInvalidArgument)) << text;
  }
}

TEST(ParseDuration, WantsBiggerUnitsFirstAndEachOnce) {
  for (const char* text : {"30m1h", "1s1s", "5ms1s"}) {
    EXPECT_THAT(ParseDuration(text), FailsWith(Code::kInvalidArgument)) << text;
  }
}

TEST(ParseDuration, RefusesMoreThanAYear) {
  EXPECT_EQ(Micros("8784h"), 8784LL * 3600 * 1'000'000);
  for (const char* text : {"8784h1us", "8785h", "99999999999999h", "99999999999999999999us"}) {
    EXPECT_THAT(ParseDuration(text), FailsWith(Code::kInvalidArgument)) << text;
  }
}

TEST(ParseDuration, SaysWhatToWrite) {
  EXPECT_NE(ParseDuration("30").error().hint.find("30s"), std::string::npos);
}

TEST(FormatDuration, ShowsAboutThreeDigits) {
  EXPECT_EQ(FormatDuration(0), "0 us");
  EXPECT_EQ(FormatDuration(999), "999 us");
  EXPECT_EQ(FormatDuration(12'345), "12.3 ms");
  EXPECT_EQ(FormatDuration(123'456), "123 ms");
  EXPECT_EQ(FormatDuration(1'234'567), "1.23 s");
  EXPECT_EQ(FormatDuration(12'345'678), "12.3 s");
  EXPECT_EQ(FormatDuration(125'000'000), "2m05s");
  EXPECT_EQ(FormatDuration(3'725'000'000), "1h02m");
  EXPECT_EQ(FormatDuration(90'000'000'000), "1d01h");
}

TEST(FormatDuration, RoundsIntoTheNextUnit) {
  EXPECT_EQ(FormatDuration(99'960), "100 ms");
  EXPECT_EQ(FormatDuration(999'600), "1.00 s");
  EXPECT_EQ(FormatDuration(9'996'000), "10.0 s");
  EXPECT_EQ(FormatDuration(59'960'000), "1m00s");
}

}  // namespace
}  // namespace crd::client
