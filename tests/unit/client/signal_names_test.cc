#include "client/signal_names.h"

#include <csignal>

#include <gtest/gtest.h>

#include "tests/support/result_matchers.h"

namespace crd::client {
namespace {

using crd::testing::FailsWith;

int Number(std::string_view text) {
  const auto parsed = ParseSignal(text);
  return parsed.ok() ? *parsed : -1;
}

TEST(ParseSignal, TakesNamesAndNumbers) {
  EXPECT_EQ(Number("TERM"), SIGTERM);
  EXPECT_EQ(Number("SIGTERM"), SIGTERM);
  EXPECT_EQ(Number("sigusr1"), SIGUSR1);
  EXPECT_EQ(Number("9"), SIGKILL);
  EXPECT_EQ(Number("64"), 64);
  EXPECT_EQ(Number("RTMIN"), SIGRTMIN);
  EXPECT_EQ(Number("RTMIN+3"), SIGRTMIN + 3);
}

TEST(ParseSignal, RefusesWhatIsNone) {
  for (const char* text : {"", "0", "65", "-1", "TERMX", "SIG", "9x", "RTMIN+99"}) {
    EXPECT_THAT(ParseSignal(text), FailsWith(Code::kInvalidArgument)) << text;
  }
}

TEST(SignalName, IsWhatParseSignalTakes) {
  for (int signal = 1; signal <= 64; ++signal) EXPECT_EQ(Number(SignalName(signal)), signal);
}

}  // namespace
}  // namespace crd::client
