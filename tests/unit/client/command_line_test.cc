#include "client/command_line.h"

#include <cstdlib>
#include <string>
#include <variant>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "client/exit_codes.h"
#include "tests/unit/client/crctl_run.h"

namespace crd::client {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::StartsWith;
using Words = std::vector<std::string>;

// Nothing listens there: a line that got past the parser would end with kNoDaemon.
constexpr const char* kNowhere = "/nonexistent/crd.sock";

class CommandLine : public ::testing::Test {
 protected:
  // No other thread runs yet.
  CommandLine() { ::unsetenv("CRD_SOCKET"); }            // NOLINT(concurrency-mt-unsafe)
  ~CommandLine() override { ::unsetenv("CRD_SOCKET"); }  // NOLINT(concurrency-mt-unsafe)
};

TEST_F(CommandLine, RefusesContradictionsBeforeAnythingIsSent) {
  const std::vector<Words> lines = {
      {},
      {"frobnicate"},
      {"--frobnicate", "list"},
      {"checkpoint"},
      {"checkpoint", "--pid", "4711", "web"},
      {"checkpoint", "web", "web2"},
      {"checkpoint", "--pid", "0"},
      {"checkpoint", "--pid", "-7"},
      {"checkpoint", "--pid", "x"},
      {"checkpoint", "--pid", "99999999999"},
      {"checkpoint", "--pid", "1", "--ghost-limit", "1MB"},
      {"checkpoint", "--pid", "1", "--timeout", "30"},
      {"checkpoint", "--pid", "1", "--tcp-close"},
      {"restore"},
      {"restore", "a", "b"},
      {"restore", "a", "--tcp-established", "--tcp-close"},
      {"restore", "a", "--log", "f", "--inherit-stdio"},
      {"list", "extra"},
      {"ps", "extra"},
      {"show"},
      {"events", "--since", "-1"},
      {"events", "--since", "x"},
      {"wait"},
      {"kill"},
      {"kill", "a", "-s", "NOPE"},
      {"forget"},
      {"check"},
      {"check", "--pid", "1", "a"},
      {"verify"},
      {"rm"},
      {"info", "extra"},
      {"version", "extra"},
  };
  for (Words line : lines) {
    std::string text;
    for (const std::string& word : line) text += word + " ";
    line.insert(line.begin(), {"--socket", kNowhere});
    const Outcome outcome = Crctl(line);
    EXPECT_EQ(outcome.status, kUsage) << text << "\n" << outcome.err;
    EXPECT_EQ(outcome.out, "") << text;
    EXPECT_THAT(outcome.err, AllOf(StartsWith("crctl: "), HasSubstr("hint: see `crctl"))) << text;
  }
}

TEST_F(CommandLine, RefusesAddressesThatCrdHasNot) {
  EXPECT_EQ(Crctl({"--socket", "tcp://host:1", "info"}).status, kUsage);
  EXPECT_EQ(Crctl({"info", "--socket", ""}).status, kUsage);
}

TEST_F(CommandLine, NamesTheCommandWhoseHelpTellsMore) {
  EXPECT_THAT(Crctl({"kill", "web", "-s", "NOPE"}).err,
              AllOf(HasSubstr("'NOPE' is no signal"), HasSubstr("see `crctl kill --help`")));
}

TEST_F(CommandLine, NamesACommandThatThereIsNot) {
  EXPECT_THAT(Crctl({"frobnicate"}).err, HasSubstr("no command or option 'frobnicate'"));
  EXPECT_THAT(Crctl({"--json"}).err, HasSubstr("No command was given"));
  EXPECT_THAT(Crctl({"list", "x"}).err, HasSubstr("see `crctl list --help`"));
}

TEST_F(CommandLine, HasHelpWithExamplesForEveryCommand) {
  const Outcome all = Crctl({"--help"});
  EXPECT_EQ(all.status, kDone);
  for (const char* command : {"checkpoint", "restore", "list", "ls", "ps", "show", "events", "wait",
                              "kill", "forget", "check", "verify", "rm", "info", "version"}) {
    EXPECT_THAT(all.out, HasSubstr(command));
    const Outcome one = Crctl({command, "--help"});
    EXPECT_EQ(one.status, kDone) << command;
    EXPECT_EQ(one.err, "") << command;
    EXPECT_THAT(one.out, HasSubstr("Examples:\n  crctl ")) << command;
  }
}

TEST_F(CommandLine, TellsItsVersionWithoutADaemon) {
  EXPECT_EQ(Crctl({"--socket", kNowhere, "version"}).out, "crctl " CRD_VERSION "\n");
  EXPECT_EQ(Crctl({"--version"}).out, "crctl " CRD_VERSION "\n");
  EXPECT_EQ(Crctl({"version", "--json"}).out, "{\"version\":\"" CRD_VERSION "\"}\n");
}

Settings SettingsOf(const Words& line) {
  const auto parsed = ParseCommandLine(line);
  if (const auto* notice = std::get_if<Notice>(&parsed)) {
    ADD_FAILURE() << notice->err;
    return {};
  }
  return std::get<Invocation>(parsed).settings;
}

TEST_F(CommandLine, TakesGlobalOptionsBeforeAndBehindTheCommand) {
  for (const Words& line : {Words{"--socket", "unix:///a", "--json", "--timeout", "2m", "list"},
                            Words{"list", "--socket", "unix:///a", "--json", "--timeout", "2m"}}) {
    const Settings settings = SettingsOf(line);
    EXPECT_EQ(settings.socket, "/a");
    EXPECT_TRUE(settings.json);
    EXPECT_EQ(settings.timeout, std::chrono::minutes(2));
  }
}

TEST_F(CommandLine, FindsTheSocketByOptionThenEnvironmentThenHabit) {
  EXPECT_EQ(SettingsOf({"list"}).socket, "/run/crd/crd.sock");
  ::setenv("CRD_SOCKET", "unix:///from/environment", 1);  // NOLINT(concurrency-mt-unsafe)
  EXPECT_EQ(SettingsOf({"list"}).socket, "/from/environment");
  EXPECT_EQ(SettingsOf({"list", "--socket", "/from/option"}).socket, "/from/option");
  ::setenv("CRD_SOCKET", "http://x", 1);  // NOLINT(concurrency-mt-unsafe)
  EXPECT_EQ(Crctl({"list"}).status, kUsage);
}

TEST_F(CommandLine, UnderstandsAnOptionsValueThatIsACommandsName) {
  EXPECT_EQ(SettingsOf({"--socket", "list", "ps", "--all"}).socket, "list");
}

}  // namespace
}  // namespace crd::client
