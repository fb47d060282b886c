// What people type, and what scripts rely on.
#include <csignal>
#include <filesystem>
#include <string>
#include <vector>

#include "tests/integration/support/pty.h"
#include "tests/integration/support/stopping_criu.h"

namespace crd::testing {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::MatchesRegex;
using ::testing::Not;

const char* const kCommands[] = {"checkpoint", "restore", "list", "ps",     "show",
                                 "events",     "wait",    "kill", "forget", "check",
                                 "verify",     "rm",      "info", "version"};

class CrctlTest : public WithStoppingCriu {};

TEST_F(CrctlTest, EveryCommandHasHelpWithExamples) {
  for (const std::string command : kCommands) {
    const Outcome help = crctl_({command, "--help"});
    EXPECT_EQ(help.exit, 0) << command;
    EXPECT_THAT(help.out, AllOf(HasSubstr("Examples:"), HasSubstr("crctl " + command)));
    EXPECT_THAT(help.err, IsEmpty());
    EXPECT_THAT(crctl_({"--help"}).out, HasSubstr("  " + command));
  }
}

TEST_F(CrctlTest, WrongUsageIs2) {
  for (const Crctl::Words& words : std::vector<Crctl::Words>{{},
                                                             {"no-such-command"},
                                                             {"checkpoint"},
                                                             {"restore"},
                                                             {"list", "--no-such-option"},
                                                             {"show"},
                                                             {"rm"}}) {
    const Outcome wrong = crctl_(words);
    EXPECT_EQ(wrong.exit, 2) << ::testing::PrintToString(words);
    EXPECT_THAT(wrong.err, Not(IsEmpty()));
    EXPECT_THAT(wrong.out, IsEmpty());
  }
}

TEST_F(CrctlTest, NoDaemonIs3AndSaysWhatToDo) {
  const Crctl nobody(reaper_, dir_ / "nobody.sock");
  for (const Crctl::Words& words :
       std::vector<Crctl::Words>{{"info"}, {"list"}, {"checkpoint", "--pid", "1"}, {"ps"}}) {
    const Outcome outcome = nobody(words);
    EXPECT_EQ(outcome.exit, 3) << ::testing::PrintToString(outcome);
    EXPECT_THAT(outcome.err, AllOf(HasSubstr("nobody.sock"), HasSubstr("hint: ")));
  }
}

TEST_F(CrctlTest, TheEnvironmentNamesTheSocketToo) {
  const Outcome info =
      RunProgram(reaper_, {"env", "CRD_SOCKET=unix://" + crd_.socket(), CRCTL_BINARY, "info"});
  EXPECT_EQ(info.exit, 0) << ::testing::PrintToString(info);
}

TEST_F(CrctlTest, PrintsIdsAloneAndNothingElseOnStdout) {
  Victim victim(reaper_, dir_.path(), "counter");
  ASSERT_TRUE(victim.Started());
  const Outcome made = crctl_({"checkpoint", "--pid", victim.PidText()});
  EXPECT_THAT(made.out, MatchesRegex("[0-9a-f]{16}\n"));
  EXPECT_THAT(made.err, IsEmpty());
  const Outcome restored = crctl_({"restore", made.Line()});
  EXPECT_THAT(restored.out, MatchesRegex("[0-9a-f]{16}\n"));
  EXPECT_THAT(restored.err, IsEmpty());
  EXPECT_EQ(crctl_({"list", "-q"}).out, made.out);
  EXPECT_EQ(crctl_({"verify", made.Line()}).out, made.out);
  EXPECT_EQ(crctl_({"rm", made.Line()}).out, made.out);
}

TEST_F(CrctlTest, JsonIsTheApisMessage) {
  Victim victim(reaper_, dir_.path(), "counter");
  ASSERT_TRUE(victim.Started());
  const auto checkpoint = crctl_.Json({"checkpoint", "--pid", victim.PidText()});
  ASSERT_TRUE(checkpoint.is_object());
  EXPECT_EQ(checkpoint.value("state", ""), "CHECKPOINT_STATE_READY");
  EXPECT_EQ(checkpoint.value("pid", 0), victim.pid());
  const std::string id = checkpoint.value("id", "");
  const auto container = crctl_.Json({"restore", id});
  EXPECT_EQ(container.value("parent_checkpoint_id", ""), id);
  EXPECT_EQ(crctl_.Json({"list"})["checkpoints"][0].value("id", ""), id);
  EXPECT_EQ(crctl_.Json({"ps"})["containers"][0].value("pid", 0), victim.pid());
  EXPECT_EQ(crctl_.Json({"show", id}).value("id", ""), id);
  EXPECT_TRUE(crctl_.Json({"check", "--pid", victim.PidText()}).is_object());
  EXPECT_TRUE(crctl_.Json({"verify", id}).is_object());
  EXPECT_TRUE(crctl_.Json({"info"}).contains("criu_version"));
  EXPECT_TRUE(crctl_.Json({"version"}).contains("version"));
  EXPECT_TRUE(crctl_.Json({"events"}).contains("sequence"));
}

TEST_F(CrctlTest, ShowTellsEverythingOfACheckpointAndOfAContainer) {
  Victim victim(reaper_, dir_.path(), "counter");
  ASSERT_TRUE(victim.Started());
  const std::string checkpoint = Checkpointed(victim, {"--name", "mine", "--file-locks"});
  const std::string container = Restored(checkpoint);
  const std::string shown = crctl_({"show", "mine"}).out;
  for (const std::string& part :
       {checkpoint, std::string("ready"), victim.PidText(), std::string("--file-locks"), container,
        api_->Info()->criu_version(), api_->Info()->kernel_release(), crd_.state()}) {
    EXPECT_THAT(shown, HasSubstr(part));
  }
  EXPECT_THAT(crctl_({"show", container}).out, AllOf(HasSubstr("running"), HasSubstr(checkpoint)));
}

TEST_F(CrctlTest, ShowsProgressOnATerminalOnly) {
  Victim victim(reaper_, dir_.path(), "memory", {.arguments = {"8"}});
  ASSERT_TRUE(victim.Started());
  ASSERT_TRUE(RestartWithCriuThatStopsBehind("pages begun"));
  const Pty terminal;
  const auto checkpoint =
      crctl_.Start({"checkpoint", "--pid", victim.PidText()}, {.argv = {},
                                                               .environment = {"TERM=xterm"},
                                                               .in = {},
                                                               .out = {.path = dir_ / "id"},
                                                               .err = {.path = terminal.path()},
                                                               .inherited = {}});
  const pid_t criu = AwaitStoppedCriu([&] { return !checkpoint->Runs(); });
  ASSERT_GT(criu, 0);
  EXPECT_THAT(ReadUntil(terminal.master(), "%"), HasSubstr("%"));
  SignalPid(criu, SIGCONT);
  EXPECT_EQ(checkpoint->Wait(Within(kPatience)), (ExitStatus{.code = 0}));
  EXPECT_THAT(Slurp(dir_ / "id"), MatchesRegex("[0-9a-f]{16}\n"));
}

TEST_F(CrctlTest, CheckOfACheckpointSaysThatNothingIsInTheWay) {
  Victim victim(reaper_, dir_.path(), "counter");
  ASSERT_TRUE(victim.Started());
  EXPECT_EQ(crctl_({"check", "--pid", victim.PidText()}).exit, 0);
  const Outcome check = crctl_({"check", Checkpointed(victim)});
  EXPECT_EQ(check.exit, 0) << ::testing::PrintToString(check);
}

TEST_F(CrctlTest, RemovesWhatItCanAndTellsTheRest) {
  Victim victim(reaper_, dir_.path(), "counter");
  ASSERT_TRUE(victim.Started());
  const std::string one = Checkpointed(victim, {"--leave-running"});
  const std::string other = Checkpointed(victim, {"--leave-running"});
  const Outcome removed = crctl_({"rm", one, "nothing", other});
  EXPECT_EQ(removed.exit, 1);
  EXPECT_EQ(removed.out, one + "\n" + other + "\n");
  EXPECT_THAT(removed.err, HasSubstr("nothing"));
  EXPECT_THAT(api_->Checkpoints(/*all=*/true), IsEmpty());
}

TEST_F(CrctlTest, BashCompletesCommandsAndOptions) {
  const std::string script = std::string(SOURCE_DIRECTORY) + "/deploy/completions/crctl.bash";
  ASSERT_TRUE(std::filesystem::exists(script)) << script;
  const auto complete = [&](const std::string& words, int index) {
    return RunProgram(reaper_, {"bash", "--norc", "-c",
                                "source " + script + "; COMP_WORDS=(" + words + "); COMP_CWORD=" +
                                    std::to_string(index) + "; COMP_LINE='" + words +
                                    "'; COMP_POINT=${#COMP_LINE};"
                                    "f=$(complete -p crctl | sed 's/.*-F \\([^ ]*\\).*/\\1/'); $f "
                                    "crctl; printf '%s\\n' \"${COMPREPLY[@]}\""});
  };
  const Outcome commands = complete("crctl che", 1);
  EXPECT_THAT(commands.out, AllOf(HasSubstr("checkpoint"), HasSubstr("check"))) << commands.err;
  EXPECT_THAT(complete("crctl checkpoint --le", 2).out, HasSubstr("--leave-running"));
}

}  // namespace
}  // namespace crd::testing
