#include "daemon/options.h"

#include <algorithm>
#include <fstream>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include <gtest/gtest.h>

#include "tests/support/result_matchers.h"
#include "tests/support/temp_dir.h"

namespace crd {
namespace {

using ::crd::testing::FailsWith;
using ::crd::testing::TempDir;
using ::testing::HasSubstr;

// Keeps the machine's own configuration file out, unless a test names one.
Result<std::variant<Options, PrintAndExit>> ParseAll(std::vector<const char*> arguments) {
  arguments.insert(arguments.begin(), "crd");
  if (std::find(arguments.begin(), arguments.end(), std::string_view("--config")) ==
      arguments.end()) {
    arguments.insert(arguments.begin() + 1, "--config=/dev/null");
  }
  return ParseOptions(static_cast<int>(arguments.size()), arguments.data());
}

Result<Options> Parse(const std::vector<const char*>& arguments) {
  auto parsed = TRY(ParseAll(arguments));
  if (!std::holds_alternative<Options>(parsed)) return Error::Internal("it only prints");
  return std::get<Options>(parsed);
}

TEST(Options, HaveTheUsualPlacesAsDefaults) {
  ASSERT_OK_AND_ASSIGN(const Options options, Parse({}));
  EXPECT_EQ(options.socket, "/run/crd/crd.sock");
  EXPECT_EQ(options.state_dir, "/var/lib/crd");
  EXPECT_EQ(options.run_dir, "/run/crd");
  EXPECT_EQ(options.criu, "");
  EXPECT_EQ(options.log_level, "info");
  EXPECT_EQ(options.workers, 4U);
}

TEST(Options, AreTakenFromTheCommandLine) {
  ASSERT_OK_AND_ASSIGN(
      const Options options,
      Parse({"--socket", "unix:///a/s", "--state-dir=/a/state", "--run-dir", "/a/run", "--criu",
             "/a/criu", "--log-level", "debug", "--workers", "9"}));
  EXPECT_EQ(options.socket, "unix:///a/s");
  EXPECT_EQ(options.state_dir, "/a/state");
  EXPECT_EQ(options.run_dir, "/a/run");
  EXPECT_EQ(options.criu, "/a/criu");
  EXPECT_EQ(options.log_level, "debug");
  EXPECT_EQ(options.workers, 9U);
}

TEST(Options, OfAFileAreOverriddenByTheCommandLine) {
  const TempDir directory;
  const std::string file = directory / "crd.conf";
  std::ofstream(file) << "# a comment\nworkers = 2\nlog-level = debug\nsocket = \"/a/b c\"\n";
  ASSERT_OK_AND_ASSIGN(const Options options, Parse({"--config", file.c_str(), "--workers", "3"}));
  EXPECT_EQ(options.config, file);
  EXPECT_EQ(options.workers, 3U);
  EXPECT_EQ(options.log_level, "debug");
  EXPECT_EQ(options.socket, "/a/b c");
}

TEST(Options, MistakesAreNamed) {
  struct Mistake {
    std::vector<const char*> arguments;
    const char* words;
  };
  const std::vector<Mistake> mistakes = {
      {{"--sokcet", "/x"}, "--sokcet"},
      {{"leftover"}, "leftover"},
      {{"--socket", ""}, "--socket"},
      {{"--socket"}, "--socket"},
      {{"--socket", "--workers=2"}, "--workers=2"},
      {{"--socket", "/a", "--socket", "/b"}, "--socket"},
      {{"--state-dir", "relative"}, "relative"},
      {{"--state-dir", ""}, "--state-dir"},
      {{"--criu", "criu"}, "--criu"},
      {{"--log-level", "loud"}, "loud"},
      {{"--workers", "0"}, "--workers"},
      {{"--workers", "65"}, "--workers"},
      {{"--workers", "-1"}, "--workers"},
      {{"--workers", "many"}, "many"},
      {{"--config", "/no/such/file"}, "/no/such/file"},
      {{"--config", ""}, "--config"},
  };
  for (const Mistake& mistake : mistakes) {
    const auto options = Parse(mistake.arguments);
    ASSERT_THAT(options, FailsWith(Code::kInvalidArgument)) << mistake.words;
    EXPECT_THAT(options.error().message, HasSubstr(mistake.words));
    EXPECT_FALSE(options.error().hint.empty());
  }
}

TEST(Options, MistakesInAFileAreNamed) {
  const TempDir directory;
  const std::string file = directory / "crd.conf";
  for (const char* line : {"sokcet = /x", "workers = 99", "log-level = loud",
                           "state-dir = relative", "[section]\nx=1", "socket = \"\""}) {
    std::ofstream(file) << line << "\n";
    EXPECT_THAT(Parse({"--config", file.c_str()}), FailsWith(Code::kInvalidArgument)) << line;
  }
}

TEST(Options, HelpAndVersionArePrinted) {
  ASSERT_OK_AND_ASSIGN(const auto help, ParseAll({"--help"}));
  ASSERT_TRUE(std::holds_alternative<PrintAndExit>(help));
  EXPECT_THAT(std::get<PrintAndExit>(help).text, HasSubstr("--state-dir"));
  EXPECT_THAT(std::get<PrintAndExit>(help).text, HasSubstr("Examples:"));
  ASSERT_OK_AND_ASSIGN(const auto version, ParseAll({"--version"}));
  ASSERT_TRUE(std::holds_alternative<PrintAndExit>(version));
  EXPECT_EQ(std::get<PrintAndExit>(version).text, "crd " CRD_VERSION "\n");
}

}  // namespace
}  // namespace crd
