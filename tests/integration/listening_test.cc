// How crd is reached, who may reach it, and how it starts and stops.
#include <algorithm>
#include <csignal>
#include <filesystem>
#include <future>
#include <sstream>
#include <string>
#include <vector>

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "tests/integration/support/integration_test.h"

namespace crd::testing {
namespace {

using ::testing::HasSubstr;

// A socket's file is there a moment before connections are taken (the flag is __SO_ACCEPTCON).
bool IsListenedOn(const std::string& socket) {
  std::istringstream lines(Slurp("/proc/self/net/unix"));
  for (std::string line; std::getline(lines, line);) {
    if (line.ends_with(" " + socket) && line.find(" 00010000 ") != std::string::npos) return true;
  }
  return false;
}

class Listening : public IntegrationTest {
 protected:
  // Another crd beside ours, with a directory of its own.
  std::string Elsewhere() {
    const std::string directory = dir_ / "other";
    std::filesystem::create_directory(directory);
    return directory;
  }
};

sockaddr_un AddressOf(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path.copy(static_cast<char*>(address.sun_path), sizeof address.sun_path - 1);
  return address;
}

TEST_F(Listening, SocketIsForRootAndItsGroupOnly) {
  struct stat socket {};
  ASSERT_EQ(::stat(crd_.socket().c_str(), &socket), 0);
  EXPECT_EQ(socket.st_mode & 07777, 0660U);
  EXPECT_EQ(socket.st_uid, 0U);
}

TEST_F(Listening, OthersAreTurnedAwayEvenIfTheSocketLetsThemIn) {
  ::chmod(dir_.path().c_str(), 0755);
  ::chmod((dir_ / "run").c_str(), 0755);
  ::chmod(crd_.socket().c_str(), 0666);
  // crctl itself may be where others cannot look.
  const std::string copy = dir_ / "crctl";
  std::filesystem::copy_file(CRCTL_BINARY, copy);
  ::chmod(copy.c_str(), 0755);
  const Outcome refused =
      RunProgram(reaper_, {"setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups",
                           copy, "--socket", crd_.socket(), "info"});
  EXPECT_EQ(refused.exit, 3) << ::testing::PrintToString(refused);
  EXPECT_EQ(refused.out, "");
  EXPECT_THAT(refused.err, HasSubstr("hint: "));
  EXPECT_EQ(crctl_({"info"}).exit, 0);
}

TEST_F(Listening, ASocketThatIsAnsweredOnIsNotReplaced) {
  CrdDaemon other(reaper_, Elsewhere());
  std::vector<std::string> line = other.CommandLine();
  *std::find(line.begin(), line.end(), other.socket()) = crd_.socket();
  const Outcome refused = RunProgram(reaper_, line);
  EXPECT_EQ(refused.exit, 1);
  EXPECT_THAT(refused.err, HasSubstr(crd_.socket()));
  EXPECT_THAT(api_->Info(), Worked());
}

TEST_F(Listening, ASocketThatACrashedCrdLeftIsReplaced) {
  crd_.Kill9();
  EXPECT_TRUE(std::filesystem::exists(crd_.socket()));
  ASSERT_TRUE(StartCrd());
  EXPECT_THAT(api_->Info(), Worked());
}

TEST_F(Listening, AFileThatIsNoSocketIsNotReplaced) {
  EXPECT_EQ(StopCrd(), (ExitStatus{.code = 0}));
  Spill(crd_.socket(), "mine");
  EXPECT_EQ(crd_.StartAndFail({}), (ExitStatus{.code = 1}));
  EXPECT_EQ(Slurp(crd_.socket()), "mine");
}

TEST_F(Listening, TheSocketGoesWhenCrdStops) {
  EXPECT_EQ(StopCrd(), (ExitStatus{.code = 0}));
  EXPECT_FALSE(std::filesystem::exists(crd_.socket()));
}

TEST_F(Listening, ASecondCrdOnTheSameStateIsRefused) {
  CrdDaemon other(reaper_, Elsewhere(), crd_.state());
  EXPECT_EQ(other.StartAndFail({}), (ExitStatus{.code = 1})) << other.Log();
  EXPECT_THAT(other.Log(), HasSubstr(crd_.state()));
  EXPECT_THAT(api_->Info(), Worked());
}

TEST_F(Listening, SystemdIsToldWhenItIsReadyAndWhenItStops) {
  EXPECT_TRUE(crd_.notify().Saw("READY=1"));
  EXPECT_FALSE(crd_.notify().Saw("STOPPING=1"));
  EXPECT_EQ(StopCrd(), (ExitStatus{.code = 0}));
  EXPECT_TRUE(WaitUntil([&] { return crd_.notify().Saw("STOPPING=1"); }));
}

TEST_F(Listening, TheFirstConnectionStartsItAndIsAnswered) {
  EXPECT_EQ(StopCrd(), (ExitStatus{.code = 0}));
  const std::string socket = dir_ / "activated.sock";
  std::vector<std::string> argv = {"systemd-socket-activate", "-l", socket};
  const std::vector<std::string> line = crd_.CommandLine();
  argv.insert(argv.end(), line.begin(), line.end());
  Process activate(reaper_, {.argv = argv,
                             .out = {.path = dir_ / "activate.log"},
                             .err = {.path = dir_ / "activate.log"}});
  ASSERT_TRUE(WaitUntil([&] { return IsListenedOn(socket); }));
  EXPECT_EQ(Slurp("/proc/" + std::to_string(activate.pid()) + "/comm"), "systemd-socket-\n");
  const Crctl crctl(reaper_, socket);
  const Outcome first = crctl({"info"});
  EXPECT_EQ(first.exit, 0) << ::testing::PrintToString(first) << Slurp(dir_ / "activate.log");
  EXPECT_EQ(Slurp("/proc/" + std::to_string(activate.pid()) + "/comm"), "crd\n");
  // It serves a whole round over this socket too.
  Victim victim(reaper_, dir_.path(), "counter");
  ASSERT_TRUE(victim.Started());
  const Outcome made = crctl({"checkpoint", "--pid", victim.PidText()});
  EXPECT_EQ(made.exit, 0) << ::testing::PrintToString(made);
  EXPECT_EQ(crctl({"restore", made.Line()}).exit, 0);
  EXPECT_TRUE(victim.GoesOn());
  victim.Kill();
  activate.Signal(SIGTERM);
  EXPECT_EQ(activate.Wait(Within(kPatience)), (ExitStatus{.code = 0}));
  // What is bound by somebody else stays.
  EXPECT_TRUE(std::filesystem::exists(socket));
  // The fixture's records are looked at by a crd of its own again.
  ASSERT_TRUE(StartCrd());
}

TEST_F(Listening, ManyClientsAtTheFirstMomentAreAllAnswered) {
  EXPECT_EQ(StopCrd(), (ExitStatus{.code = 0}));
  const std::string socket = dir_ / "activated.sock";
  std::vector<std::string> argv = {"systemd-socket-activate", "-l", socket};
  const std::vector<std::string> line = crd_.CommandLine();
  argv.insert(argv.end(), line.begin(), line.end());
  Process activate(reaper_, {.argv = argv});
  ASSERT_TRUE(WaitUntil([&] { return IsListenedOn(socket); }));
  std::vector<std::future<Answer<v1::InfoResponse>>> answers;
  for (int i = 0; i < 50; ++i) {
    answers.push_back(std::async(std::launch::async, [&] { return Api(socket).Info(); }));
  }
  for (auto& answer : answers) EXPECT_THAT(answer.get(), Worked());
  activate.Signal(SIGTERM);
  EXPECT_EQ(activate.Wait(Within(kPatience)), (ExitStatus{.code = 0}));
  ASSERT_TRUE(StartCrd());
}

TEST_F(Listening, StoppingLetsRestoredTreesRunOn) {
  Victim victim(reaper_, dir_.path(), "tree");
  ASSERT_TRUE(victim.Started());
  Restored(Checkpointed(victim));
  EXPECT_EQ(StopCrd(), (ExitStatus{.code = 0}));
  EXPECT_TRUE(victim.GoesOn());
  ASSERT_TRUE(StartCrd());
  EXPECT_EQ(api_->Containers().size(), 1U);
}

TEST_F(Listening, StoppingDoesNotWaitForClientsThatFollowEvents) {
  const auto events = crctl_.Start({"events", "--follow"}, {});
  const auto wait = SteadyClock::now();
  EXPECT_EQ(StopCrd(), (ExitStatus{.code = 0}));
  EXPECT_LT(SteadyClock::now() - wait, std::chrono::seconds(5));
}

TEST_F(Listening, RubbishOnTheSocketHurtsNobody) {
  for (const char* rubbish : {"GET / HTTP/1.1\r\n\r\n", "\xff\xff\xff\xff\xff", ""}) {
    const UniqueFd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    const sockaddr_un address = AddressOf(crd_.socket());
    ASSERT_EQ(::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address),
              0);
    ::send(socket.get(), rubbish, std::string(rubbish).size(), MSG_NOSIGNAL);
    EXPECT_THAT(api_->Info(), Worked());
  }
}

TEST_F(Listening, InfoTellsAboutItself) {
  const auto info = api_->Info();
  ASSERT_THAT(info, Worked());
  EXPECT_EQ(info->criu_problem(), "");
  EXPECT_EQ(info->state_directory(), crd_.state());
  EXPECT_TRUE(info->kernel_cache_primed());
  EXPECT_GT(info->free_bytes(), 0U);
}

TEST_F(Listening, WrongOptionsAreWrongUsage) {
  EXPECT_EQ(RunProgram(reaper_, {CRD_BINARY, "--no-such-option"}).exit, 2);
  EXPECT_EQ(RunProgram(reaper_, {CRD_BINARY, "--state-dir", "relative"}).exit, 2);
  EXPECT_EQ(RunProgram(reaper_, {CRD_BINARY, "--socket", ""}).exit, 2);
  EXPECT_THAT(RunProgram(reaper_, {CRD_BINARY, "--help"}).out, HasSubstr("Examples:"));
  EXPECT_THAT(RunProgram(reaper_, {CRD_BINARY, "--version"}).out, HasSubstr("crd "));
}

}  // namespace
}  // namespace crd::testing
