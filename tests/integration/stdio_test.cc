// Where a restored tree's standard streams go, and what `restore --wait` exits with.
#include <csignal>
#include <sstream>
#include <string>

#include <sys/ioctl.h>
#include <sys/stat.h>

#include "tests/integration/support/integration_test.h"
#include "tests/integration/support/pty.h"

namespace crd::testing {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::StartsWith;

class Stdio : public IntegrationTest {
 protected:
  // The number of the last complete line of a writer's output.
  static long LastLine(const std::string& text) {
    const std::size_t end = text.rfind('\n');
    if (end == std::string::npos) return 0;
    const std::size_t begin = text.rfind("line ", end);
    return begin == std::string::npos ? 0 : std::strtol(text.c_str() + begin + 5, nullptr, 10);
  }
  static long FirstLine(const std::string& text) {
    return text.starts_with("line ") ? std::strtol(text.c_str() + 5, nullptr, 10) : -1;
  }
};

TEST_F(Stdio, OutputGoesOnInTheSameFile) {
  const std::string path = dir_ / "output";
  Victim victim(reaper_, dir_.path(), "writer", {.out = {.path = path}});
  ASSERT_TRUE(victim.Started());
  const std::string checkpoint = Checkpointed(victim);
  const long before = LastLine(Slurp(path));
  const std::string container = Restored(checkpoint);
  EXPECT_TRUE(WaitUntil([&] { return LastLine(Slurp(path)) > before + 3; }));
  EXPECT_THAT(api_->GetContainer(container)->log_path(), IsEmpty());
  victim.Kill();
  // Every line once and in order: nothing was lost, nothing written twice.
  std::istringstream lines(Slurp(path));
  long expected = 1;
  for (std::string line; std::getline(lines, line); ++expected)
    ASSERT_EQ(line, "line " + std::to_string(expected));
}

TEST_F(Stdio, OutputToABrokenPipeGoesToALogOfCrd) {
  Pipe pipe;
  Victim victim(reaper_, dir_.path(), "writer", {.out = {.path = "", .fd = pipe.in.get()}});
  pipe.in.reset();
  ASSERT_TRUE(victim.Started());
  ReadUntil(pipe.out.ref(), "line 5\n");
  const std::string checkpoint = Checkpointed(victim);
  pipe.out.reset();
  const auto counts = victim.Counts();
  const std::string container = Restored(checkpoint);
  EXPECT_TRUE(victim.GoesOnFrom(counts));
  const std::string log = api_->GetContainer(container)->log_path();
  EXPECT_THAT(log, StartsWith(crd_.state() + "/containers/" + container));
  EXPECT_TRUE(WaitUntil([&] { return LastLine(Slurp(log)) > 0; }));
  victim.Kill();
  EXPECT_THAT(api_->Wait(container), Worked());
  EXPECT_EQ(crctl_({"forget", container}).exit, 0);
  EXPECT_EQ(Slurp(log), "");
}

TEST_F(Stdio, OutputToABrokenPipeGoesToTheLogThatIsAskedFor) {
  Pipe pipe;
  Victim victim(reaper_, dir_.path(), "writer", {.out = {.path = "", .fd = pipe.in.get()}});
  pipe.in.reset();
  ASSERT_TRUE(victim.Started());
  ReadUntil(pipe.out.ref(), "line 5\n");
  const std::string checkpoint = Checkpointed(victim);
  pipe.out.reset();
  const std::string log = dir_ / "my.log";
  Spill(log, "what was there stays\n");
  const std::string container = Restored(checkpoint, {"--log", log});
  EXPECT_EQ(api_->GetContainer(container)->log_path(), log);
  EXPECT_TRUE(WaitUntil([&] { return LastLine(Slurp(log)) > 0; }));
  EXPECT_THAT(Slurp(log), StartsWith("what was there stays\nline "));
}

TEST_F(Stdio, ALogThatCannotBeWrittenIsRefused) {
  Pipe pipe;
  Victim victim(reaper_, dir_.path(), "writer", {.out = {.path = "", .fd = pipe.in.get()}});
  pipe.in.reset();
  ASSERT_TRUE(victim.Started());
  ReadUntil(pipe.out.ref(), "line 5\n");
  const std::string checkpoint = Checkpointed(victim);
  EXPECT_TRUE(Refused(crctl_({"restore", checkpoint, "--log", dir_.path()}), dir_.path()));
  EXPECT_TRUE(Refused(crctl_({"restore", checkpoint, "--log", "/no/such/dir/log"}), "/no/such"));
  v1::RestoreRequest request = RestoreOf(checkpoint);
  request.mutable_log()->set_path(dir_.path());
  const auto answer = api_->Restore(request);
  EXPECT_THAT(answer, FailsBecause("LOG_UNUSABLE"));
  // It is the caller's mistake.
  EXPECT_EQ(answer.status.error_code(), grpc::StatusCode::FAILED_PRECONDITION);
  EXPECT_TRUE(victim.Gone());
  EXPECT_THAT(api_->Containers(/*all=*/false), IsEmpty());
}

TEST_F(Stdio, TheCallersPipesTakeThePlaceOfBrokenOnes) {
  Pipe to_victim;
  Pipe from_victim;
  Victim victim(reaper_, dir_.path(), "reader",
                {.in = {.path = "", .fd = to_victim.out.get()},
                 .out = {.path = "", .fd = from_victim.in.get()}});
  to_victim.out.reset();
  from_victim.in.reset();
  ASSERT_TRUE(victim.Started());
  ASSERT_TRUE(WriteText(to_victim.in.ref(), "one\n"));
  EXPECT_EQ(ReadUntil(from_victim.out.ref(), "one\n"), "got one\n");
  const std::string checkpoint = Checkpointed(victim);

  Pipe in;
  Pipe out;
  const auto restore = crctl_.Start({"restore", checkpoint, "--wait", "--inherit-stdio"},
                                    {.argv = {},
                                     .in = {.path = "", .fd = in.out.get()},
                                     .out = {.path = "", .fd = out.in.get()},
                                     .err = {.path = dir_ / "crctl.err"}});
  in.out.reset();
  out.in.reset();
  ASSERT_TRUE(WriteText(in.in.ref(), "two\n"));
  EXPECT_EQ(ReadUntil(out.out.ref(), "two\n"), "got two\n");
  in.in.reset();
  // The victim ends so at the end of its input.
  EXPECT_EQ(restore->Wait(Within(kPatience)), (ExitStatus{.code = 0})) << Slurp(dir_ / "crctl.err");
}

TEST_F(Stdio, WaitExitsAsTheProgramDoes) {
  Victim victim(reaper_, dir_.path(), "ends", {.arguments = {dir_ / "order"}});
  ASSERT_TRUE(victim.Started());
  const std::string checkpoint = Checkpointed(victim);
  Spill(dir_ / "order", "exit 7\n");
  EXPECT_EQ(crctl_({"restore", checkpoint, "--wait"}).exit, 7);
  Spill(dir_ / "order", "signal 15\n");
  EXPECT_EQ(crctl_({"restore", checkpoint, "--wait"}).exit, 128 + 15);
  Spill(dir_ / "order", "exit 0\n");
  EXPECT_EQ(crctl_({"restore", checkpoint, "--wait"}).exit, 0);
}

TEST_F(Stdio, WaitHandsSignalsOnToTheProgram) {
  Victim victim(reaper_, dir_.path(), "counter");
  ASSERT_TRUE(victim.Started());
  const std::string checkpoint = Checkpointed(victim);
  const auto counts = victim.Counts();
  const auto restore = crctl_.Start({"restore", checkpoint, "--wait"}, {});
  EXPECT_TRUE(victim.GoesOnFrom(counts));
  restore->Signal(SIGTERM);
  EXPECT_EQ(restore->Wait(Within(kPatience)), (ExitStatus{.code = 128 + SIGTERM}));
  EXPECT_TRUE(victim.Gone());
}

TEST_F(Stdio, ThePidIsWrittenToAFileWhenAsked) {
  Victim victim(reaper_, dir_.path(), "counter");
  ASSERT_TRUE(victim.Started());
  Restored(Checkpointed(victim), {"--pidfile", dir_ / "pid"});
  EXPECT_THAT(Slurp(dir_ / "pid"), StartsWith(victim.PidText()));
}

// A job of an interactive shell: in a session and on a terminal that it does not own.
class ShellJob : public Stdio {
 protected:
  // Runs what follows as the foreground job of a shell, and says then how it ended.
  static std::vector<std::string> Shell() {
    return {"bash", "--norc", "-m", "-c", "\"$@\"; echo \"status $?\"; sleep 100", "bash"};
  }
  static Launch::Stream On(const Pty& pty) { return {.path = pty.path()}; }
  const Pty first_;
  Victim& victim_ = NewVictim("terminal", {.in = On(first_),
                                           .out = On(first_),
                                           .err = On(first_),
                                           .new_session = true,
                                           .starter = Shell()});

  void Greet(const Pty& pty, const std::string& text) {
    ASSERT_TRUE(WriteText(pty.master(), text + "\n"));
    EXPECT_THAT(ReadUntil(pty.master(), "got " + text), HasSubstr("got " + text));
  }
};

TEST_F(ShellJob, NeedsAnOptionThatIsNamed) {
  ASSERT_TRUE(victim_.Started());
  EXPECT_TRUE(Refused(crctl_({"checkpoint", "--pid", victim_.PidText()}), "--shell-job"));
  Greet(first_, "still here");
}

TEST_F(ShellJob, GoesOnOnTheTerminalOfWhoeverRestoresIt) {
  ASSERT_TRUE(victim_.Started());
  Greet(first_, "one");
  const std::string checkpoint = Checkpointed(victim_, {"--shell-job"});
  EXPECT_THAT(ReadUntil(first_.master(), "status"), HasSubstr("status 137"));
  for (const char* text : {"two", "three"}) {
    const Pty second;
    Launch launch{.argv = Shell(),
                  .in = On(second),
                  .out = On(second),
                  .err = On(second),
                  .new_session = true};
    const auto restore = crctl_.CommandLine({"restore", checkpoint, "--wait", "--inherit-stdio"});
    launch.argv.insert(launch.argv.end(), restore.begin(), restore.end());
    Process shell(reaper_, launch);
    Greet(second, text);
    // The end of its input, typed.
    ASSERT_TRUE(WriteText(second.master(), "\x04"));
    EXPECT_THAT(ReadUntil(second.master(), "status"), HasSubstr("status 0"));
  }
}

TEST_F(ShellJob, LeavesSizeAndOwnerOfTheNewTerminalAlone) {
  ASSERT_TRUE(victim_.Started());
  const std::string checkpoint = Checkpointed(victim_, {"--shell-job"});
  const Pty second;
  const winsize size{.ws_row = 33, .ws_col = 77, .ws_xpixel = 0, .ws_ypixel = 0};
  ASSERT_EQ(::ioctl(second.master().get(), TIOCSWINSZ, &size), 0);
  ASSERT_EQ(::chown(second.path().c_str(), 12, 34), 0);
  const auto restore = crctl_.Start(
      {"restore", checkpoint, "--wait", "--inherit-stdio"},
      {.argv = {}, .in = On(second), .out = On(second), .err = {.path = dir_ / "crctl.err"}});
  Greet(second, "hello");
  winsize now{};
  ASSERT_EQ(::ioctl(second.master().get(), TIOCGWINSZ, &now), 0);
  EXPECT_EQ(now.ws_row, 33);
  EXPECT_EQ(now.ws_col, 77);
  struct stat status {};
  ASSERT_EQ(::stat(second.path().c_str(), &status), 0);
  EXPECT_EQ(status.st_uid, 12U);
  EXPECT_EQ(status.st_gid, 34U);
}

TEST_F(ShellJob, IsNotRestoredWithoutATerminal) {
  ASSERT_TRUE(victim_.Started());
  const std::string checkpoint = Checkpointed(victim_, {"--shell-job"});
  EXPECT_THAT(api_->Restore(RestoreOf(checkpoint)), FailsBecause("TERMINAL_GONE"));
  EXPECT_TRUE(Refused(crctl_({"restore", checkpoint}), "--inherit-stdio"));
  EXPECT_TRUE(victim_.Gone());
}

}  // namespace
}  // namespace crd::testing
