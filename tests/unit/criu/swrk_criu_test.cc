#include "daemon/criu/swrk_criu.h"

#include <cerrno>
#include <chrono>
#include <filesystem>
#include <thread>
#include <vector>

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "tests/support/result_matchers.h"
#include "tests/unit/criu/fake_criu.h"

namespace crd::criu {
namespace {

using ::crd::testing::FailsWith;
using ::crd::testing::IsOk;
using ::crd::testing::Refuses;
using std::chrono::milliseconds;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

constexpr char kGoodVersion[] = "version 4 2 1\n";
const KernelTraits kKernel{.release = "6.18.0", .refuses_passcred_on_inet = true};
// For what is expected not to happen, and for what is expected to be waited for in vain.
const Patience kPatient{};
const Patience kImpatient{.version = milliseconds(1000),
                          .cancelled_dump = milliseconds(100),
                          .undo = milliseconds(100),
                          .finish = milliseconds(100),
                          .exit = milliseconds(1000)};

// Every test ends without a child: whatever CRIU does, it is reaped.
class SwrkCriuTest : public ::testing::Test {
 protected:
  void TearDown() override {
    EXPECT_EQ(::waitpid(-1, nullptr, WNOHANG), -1);
    EXPECT_EQ(errno, ECHILD);
  }

  std::unique_ptr<SwrkCriu> Create(const std::string& path) {
    return SwrkCriu::Create(path, children_, kKernel, patience_);
  }

  Result<DumpReport> Dump(const FakeProgram& program, const DumpObserver& observer,
                          Deadline deadline = kNoDeadline) {
    DumpRequest request;
    request.pid = 4242;
    request.images = program.work();
    request.work = program.work();
    request.deadline = deadline;
    return Create(program.path())->Dump(request, observer, cancel_);
  }

  Result<RestoreReport> Restore(const FakeProgram& program, const RestoreObserver& observer,
                                Deadline deadline = kNoDeadline) {
    RestoreRequest request;
    request.images = program.work();
    request.work = program.work();
    request.deadline = deadline;
    return Create(program.path())->Restore(request, observer, cancel_);
  }

  Children children_;
  CancelToken cancel_;
  Patience patience_ = kPatient;
};

Result<void> Agree(DumpStage) { return {}; }
Result<void> AgreeToRestore(RestoreStage, pid_t) { return {}; }

Error Objection() { return {.code = Code::kAborted, .reason = "MINE", .message = "no"}; }

int OpenDescriptors() {
  int count = 0;
  for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) {
    count += entry.path().empty() ? 0 : 1;
  }
  return count;
}

TEST_F(SwrkCriuTest, TellsItsVersionAndPath) {
  const FakeProgram program(kGoodVersion);
  const auto criu = Create(program.path());
  EXPECT_EQ(criu->problem(), "");
  EXPECT_EQ(criu->version(), (Version{4, 2, 1}));
  EXPECT_EQ(criu->path(), program.path());
}

TEST_F(SwrkCriuTest, NamesTheVersionThatWouldWork) {
  const FakeProgram program("version 4 1 1\n");
  EXPECT_THAT(Create(program.path())->problem(), HasSubstr("CRIU 4.2 or later"));
}

struct Useless {
  const char* name;
  const char* script;
  const char* problem;
};

class UselessCriuTest : public SwrkCriuTest, public ::testing::WithParamInterface<Useless> {};

TEST_P(UselessCriuTest, HasAProblemAndRefusesEverything) {
  const FakeProgram program(GetParam().script);
  patience_ = kImpatient;
  const auto criu = Create(program.path());
  EXPECT_THAT(criu->problem(), HasSubstr(GetParam().problem));
  DumpRequest dump;
  dump.images = dump.work = program.work();
  RestoreRequest restore;
  restore.images = restore.work = program.work();
  const auto dumped = criu->Dump(dump, &Agree, cancel_);
  EXPECT_THAT(dumped, FailsWith(Code::kFailedPrecondition));
  EXPECT_THAT(dumped, Refuses("CRIU_UNUSABLE"));
  EXPECT_THAT(dumped.error().hint, Not(IsEmpty()));
  EXPECT_THAT(criu->Restore(restore, &AgreeToRestore, cancel_), Refuses("CRIU_UNUSABLE"));
}

INSTANTIATE_TEST_SUITE_P(
    SwrkCriu, UselessCriuTest,
    ::testing::Values(Useless{"rubbish", "version bytes 64\n", "64 bytes that are no answer"},
                      Useless{"huge", "version bytes 2097152\n", "2097152 bytes"},
                      Useless{"truncated", "version truncated\n", "no answer"},
                      Useless{"closed", "version close\nversion hang\n", "had to be killed"},
                      Useless{"hanging", "version hang\n", "had to be killed"},
                      Useless{"crashing", "version crash\n", "killed by signal 11"},
                      Useless{"exiting", "version stderr libfoo.so: not found\nversion exit 127\n",
                              "ended with status 127: libfoo.so: not found"}),
    [](const auto& tested) { return tested.param.name; });

TEST_F(SwrkCriuTest, MissingProgramIsAProblem) {
  EXPECT_THAT(Create("/nonexistent/criu")->problem(), HasSubstr("No such file"));
}

TEST_F(SwrkCriuTest, RelativePathIsAProblem) {
  EXPECT_THAT(Create("criu")->problem(), HasSubstr("absolute"));
}

TEST_F(SwrkCriuTest, ProgramThatMayNotBeExecutedIsAProblem) {
  const testing::TempDir directory;
  std::ofstream(directory / "criu") << "#!/bin/sh\n";
  EXPECT_THAT(Create(directory / "criu")->problem(), HasSubstr("Permission denied"));
}

TEST_F(SwrkCriuTest, FileThatIsNoProgramIsAProblem) {
  const testing::TempDir directory;
  std::ofstream(directory / "criu") << "rubbish";
  ASSERT_EQ(::chmod((directory / "criu").c_str(), 0700), 0);
  EXPECT_THAT(Create(directory / "criu")->problem(), HasSubstr("Exec format error"));
}

TEST_F(SwrkCriuTest, ProgramThatVanishedLaterIsRefusedByName) {
  const FakeProgram program(kGoodVersion);
  const auto criu = Create(program.path());
  std::filesystem::remove(program.path());
  DumpRequest request;
  request.images = request.work = program.work();
  EXPECT_THAT(criu->Dump(request, &Agree, cancel_), Refuses("CRIU_UNUSABLE"));
}

TEST_F(SwrkCriuTest, ObserverSeesTheStagesInOrder) {
  const FakeProgram program(std::string(kGoodVersion) +
                            "notify pre-dump\nnotify network-lock\nnotify post-dump\n"
                            "notify network-unlock\nok\n");
  std::vector<DumpStage> stages;
  EXPECT_THAT(Dump(program,
                   [&](DumpStage stage) -> Result<void> {
                     stages.push_back(stage);
                     return {};
                   }),
              IsOk());
  EXPECT_THAT(stages, ElementsAre(DumpStage::kPreDump, DumpStage::kNetworkLock,
                                  DumpStage::kPostDump, DumpStage::kNetworkUnlock));
}

TEST_F(SwrkCriuTest, UnknownNotificationsAreAgreedToUnseen) {
  const FakeProgram program(std::string(kGoodVersion) +
                            "notify query-ext-files\nnotify from-the-future\nok\n");
  EXPECT_THAT(Dump(program, [](DumpStage) -> Result<void> { return Objection(); }), IsOk());
  EXPECT_EQ(program.answers(), "query-ext-files true\nfrom-the-future true\n");
}

TEST_F(SwrkCriuTest, ObjectionIsCarriedToCriuAndComesBackAsItself) {
  const FakeProgram program(std::string(kGoodVersion) +
                            "notify pre-dump\nnotify post-dump\nnotify network-unlock\n"
                            "stop-if-refused\nok\n");
  std::vector<DumpStage> stages;
  const auto dumped = Dump(program, [&](DumpStage stage) -> Result<void> {
    stages.push_back(stage);
    if (stage == DumpStage::kPostDump) return Objection();
    return {};
  });
  EXPECT_THAT(dumped, Refuses("MINE"));
  EXPECT_THAT(dumped, FailsWith(Code::kAborted));
  EXPECT_EQ(program.answers(), "pre-dump true\npost-dump false\nnetwork-unlock true\n");
  EXPECT_THAT(stages,
              ElementsAre(DumpStage::kPreDump, DumpStage::kPostDump, DumpStage::kNetworkUnlock));
}

TEST_F(SwrkCriuTest, ObjectionThatCriuCannotFollowSaysThatCriuWasKilled) {
  const FakeProgram program(std::string(kGoodVersion) + "notify pre-dump\ncrash\n");
  const auto dumped = Dump(program, [](DumpStage) -> Result<void> { return Objection(); });
  EXPECT_THAT(dumped, FailsWith(Code::kAborted));
  EXPECT_THAT(dumped, Refuses("CRIU_KILLED"));
  EXPECT_THAT(dumped.error().message, HasSubstr("killed by signal 11"));
}

TEST_F(SwrkCriuTest, ObjectionThatCriuSitsOnEndsWithAKill) {
  patience_ = kImpatient;
  const FakeProgram program(std::string(kGoodVersion) + "notify pre-dump\nhang\n");
  const auto dumped = Dump(program, [](DumpStage) -> Result<void> { return Objection(); });
  EXPECT_THAT(dumped, FailsWith(Code::kAborted));
  EXPECT_THAT(dumped, Refuses("CRIU_KILLED"));
}

TEST_F(SwrkCriuTest, RefusalCarriesDiagnosisAndLogLines) {
  const FakeProgram program(
      std::string(kGoodVersion) +
      "log (00.01) Error (criu/sk-inet.c:200): inet: Connected TCP socket, consider using "
      "--tcp-established option.\nfail 0 something\n");
  const auto dumped = Dump(program, &Agree);
  EXPECT_THAT(dumped, Refuses("TCP_ESTABLISHED"));
  EXPECT_THAT(dumped.error().message, HasSubstr("cannot dump process 4242"));
  EXPECT_THAT(dumped.error().hint, HasSubstr("tcp_established"));
  EXPECT_THAT(dumped.error().log_lines, ElementsAre(HasSubstr("sk-inet.c:200")));
}

TEST_F(SwrkCriuTest, RefusalWithoutALogUsesTheAnswersOwnWords) {
  const FakeProgram program(std::string(kGoodVersion) +
                            "fail 17 Error (criu/x.c:1): Strange thing happened\n");
  const auto restored = Restore(program, &AgreeToRestore);
  EXPECT_THAT(restored, FailsWith(Code::kAlreadyExists));
  EXPECT_EQ(restored.error().sys_errno, EEXIST);
  EXPECT_THAT(restored.error().log_lines, ElementsAre(HasSubstr("Strange thing")));
}

TEST_F(SwrkCriuTest, LogOfAnEarlierAttemptIsNotBelieved) {
  const FakeProgram program(std::string(kGoodVersion) + "fail 0\n");
  ASSERT_THAT(WriteFileAt(program.work(), "dump.log", "Error (criu/a.c:1): old story\n"), IsOk());
  const auto dumped = Dump(program, &Agree);
  EXPECT_THAT(dumped, FailsWith(Code::kInternal));
  EXPECT_THAT(dumped.error().log_lines, IsEmpty());
}

TEST_F(SwrkCriuTest, CrashMidWayIsToldAsSuch) {
  const FakeProgram program(std::string(kGoodVersion) + "notify pre-dump\ncrash\n");
  const auto dumped = Dump(program, &Agree);
  EXPECT_THAT(dumped, Refuses("CRIU_KILLED"));
  EXPECT_THAT(dumped.error().message, HasSubstr("killed by signal 11"));
}

TEST_F(SwrkCriuTest, OrderlyExitWithoutAnswerIsNoKill) {
  const FakeProgram program(std::string(kGoodVersion) + "notify pre-dump\nexit 1\n");
  const auto dumped = Dump(program, &Agree);
  EXPECT_THAT(dumped, FailsWith(Code::kInternal));
  EXPECT_EQ(dumped.error().reason, "");
  EXPECT_THAT(dumped.error().message, HasSubstr("status 1"));
}

struct Nonsense {
  const char* name;
  const char* script;
  const char* message;
};

class NonsenseTest : public SwrkCriuTest, public ::testing::WithParamInterface<Nonsense> {};

TEST_P(NonsenseTest, IsACleanErrorAndCriuIsKilled) {
  patience_ = kImpatient;
  const FakeProgram program(std::string(kGoodVersion) + GetParam().script);
  const auto dumped = Dump(program, &Agree);
  EXPECT_THAT(dumped, FailsWith(Code::kInternal));
  EXPECT_THAT(dumped, Refuses("CRIU_KILLED"));
  EXPECT_THAT(dumped.error().message, HasSubstr(GetParam().message));
}

INSTANTIATE_TEST_SUITE_P(
    SwrkCriu, NonsenseTest,
    ::testing::Values(Nonsense{"rubbish", "bytes 64\nhang\n", "64 bytes that are no answer"},
                      Nonsense{"huge", "bytes 2097152\nhang\n", "a message of 2097152 bytes"},
                      Nonsense{"truncated", "truncated\nhang\n", "are no answer"},
                      Nonsense{"closed", "close\nhang\n", "had to be killed"}),
    [](const auto& tested) { return tested.param.name; });

TEST_F(SwrkCriuTest, PassedDeadlineKillsACriuThatAsksNothing) {
  const FakeProgram program(std::string(kGoodVersion) + "notify pre-dump\nhang\n");
  const auto dumped = Dump(program, &Agree, SteadyClock::now() + milliseconds(300));
  EXPECT_THAT(dumped, FailsWith(Code::kDeadlineExceeded));
  EXPECT_THAT(dumped, Refuses("CRIU_KILLED"));
}

TEST_F(SwrkCriuTest, PassedDeadlineIsToldToACriuThatAsks) {
  const FakeProgram program(std::string(kGoodVersion) +
                            "notify pre-dump\nstop-if-refused\nnotify post-dump\nok\n");
  const auto deadline = SteadyClock::now() + milliseconds(1000);
  const auto dumped = Dump(
      program,
      [&](DumpStage) -> Result<void> {
        std::this_thread::sleep_until(deadline);  // the slow observer is the subject
        return {};
      },
      deadline);
  EXPECT_THAT(dumped, FailsWith(Code::kDeadlineExceeded));
  EXPECT_EQ(dumped.error().reason, "");
  EXPECT_EQ(program.answers(), "pre-dump false\n");
}

TEST_F(SwrkCriuTest, CancelledDumpIsToldToACriuThatAsks) {
  const FakeProgram program(std::string(kGoodVersion) +
                            "notify pre-dump\nstop-if-refused\nnotify post-dump\nok\n");
  const auto dumped = Dump(program, [&](DumpStage) -> Result<void> {
    cancel_.Cancel();
    return {};
  });
  EXPECT_THAT(dumped, FailsWith(Code::kCancelled));
  EXPECT_EQ(dumped.error().reason, "");
  EXPECT_EQ(program.answers(), "pre-dump false\n");
}

TEST_F(SwrkCriuTest, CancelledDumpIsToldAtTheNextNotification) {
  const FakeProgram program(std::string(kGoodVersion) +
                            "notify pre-dump\nwait\nnotify post-dump\nok\n");
  std::thread canceller([&] {
    program.AwaitAnswer("pre-dump true");
    cancel_.Cancel();
    program.LetGoOn();
  });
  EXPECT_THAT(Dump(program, &Agree), FailsWith(Code::kCancelled));
  canceller.join();
  EXPECT_EQ(program.answers(), "pre-dump true\npost-dump false\n");
}

TEST_F(SwrkCriuTest, CancelledDumpThatNeverAsksAgainIsKilled) {
  patience_ = kImpatient;
  const FakeProgram program(std::string(kGoodVersion) + "notify pre-dump\nhang\n");
  std::thread canceller([&] {
    program.AwaitAnswer("pre-dump true");
    cancel_.Cancel();
  });
  const auto dumped = Dump(program, &Agree);
  canceller.join();
  EXPECT_THAT(dumped, FailsWith(Code::kCancelled));
  EXPECT_THAT(dumped, Refuses("CRIU_KILLED"));
}

TEST_F(SwrkCriuTest, CancellationAfterTheCommitDoesNotCount) {
  const FakeProgram program(std::string(kGoodVersion) +
                            "notify post-dump\nnotify network-unlock\nok\n");
  EXPECT_THAT(Dump(program,
                   [&](DumpStage stage) -> Result<void> {
                     if (stage == DumpStage::kPostDump) cancel_.Cancel();
                     return {};
                   }),
              IsOk());
  EXPECT_EQ(program.answers(), "post-dump true\nnetwork-unlock true\n");
}

TEST_F(SwrkCriuTest, CriuThatHangsAfterTheCommitIsKilled) {
  patience_ = kImpatient;
  const FakeProgram program(std::string(kGoodVersion) + "notify post-dump\nhang\n");
  const auto dumped = Dump(program, &Agree, SteadyClock::now() + milliseconds(200));
  EXPECT_THAT(dumped, FailsWith(Code::kDeadlineExceeded));
  EXPECT_THAT(dumped, Refuses("CRIU_KILLED"));
}

TEST_F(SwrkCriuTest, CancelledRestoreIsKilledAtOnce) {
  const FakeProgram program(std::string(kGoodVersion) + "notify pre-restore\nhang\n");
  std::thread canceller([&] {
    program.AwaitAnswer("pre-restore true");
    cancel_.Cancel();
  });
  const auto restored = Restore(program, &AgreeToRestore);
  canceller.join();
  EXPECT_THAT(restored, FailsWith(Code::kCancelled));
  EXPECT_THAT(restored, Refuses("CRIU_KILLED"));
}

TEST_F(SwrkCriuTest, RestoreTellsTheRootFromTheStageThatKnowsIt) {
  const FakeProgram program(std::string(kGoodVersion) +
                            "notify pre-restore\nnotify post-restore 77\nnotify pre-resume\n"
                            "notify post-resume\nok 77\n");
  std::vector<std::pair<RestoreStage, pid_t>> seen;
  ASSERT_OK_AND_ASSIGN(const RestoreReport report,
                       Restore(program, [&](RestoreStage stage, pid_t root) -> Result<void> {
                         seen.emplace_back(stage, root);
                         return {};
                       }));
  EXPECT_EQ(report.pid, 77);
  using Seen = std::pair<RestoreStage, pid_t>;
  EXPECT_THAT(seen,
              ElementsAre(Seen(RestoreStage::kPreRestore, 0), Seen(RestoreStage::kPostRestore, 77),
                          Seen(RestoreStage::kPreResume, 77), Seen(RestoreStage::kPostResume, 77)));
}

TEST_F(SwrkCriuTest, DescriptorsThatCriuSendsAreClosed) {
  const FakeProgram program(std::string(kGoodVersion) +
                            "descriptor orphan-pts-master\ndescriptor orphan-pts-master\nok 5\n");
  const int before = OpenDescriptors();
  EXPECT_THAT(Restore(program, &AgreeToRestore), IsOk());
  EXPECT_EQ(OpenDescriptors(), before);
}

TEST_F(SwrkCriuTest, CriuIsMovedIntoTheCgroupBeforeItIsAskedAnything) {
  // A directory with a cgroup.procs of its own stands for the cgroup.
  const FakeProgram program(kGoodVersion + std::string("notify pre-dump\nok\n"));
  const testing::TempDir cgroup;
  std::ofstream(cgroup / "cgroup.procs").flush();
  ASSERT_OK_AND_ASSIGN(const UniqueFd directory, OpenDirectory(cgroup.path()));
  DumpRequest request;
  request.images = request.work = program.work();
  request.cgroup = directory.ref();
  std::string moved;
  EXPECT_THAT(Create(program.path())
                  ->Dump(
                      request,
                      [&](DumpStage) -> Result<void> {
                        moved = *ReadFile(cgroup / "cgroup.procs");
                        return {};
                      },
                      cancel_),
              IsOk());
  EXPECT_GT(std::stoi(moved), 0);
}

TEST_F(SwrkCriuTest, CgroupThatCannotBeEnteredIsAnErrorBeforeAnythingIsTouched) {
  const FakeProgram program(kGoodVersion + std::string("notify pre-dump\nok\n"));
  const testing::TempDir no_cgroup;
  ASSERT_OK_AND_ASSIGN(const UniqueFd directory, OpenDirectory(no_cgroup.path()));
  DumpRequest request;
  request.images = request.work = program.work();
  request.cgroup = directory.ref();
  EXPECT_THAT(Create(program.path())->Dump(request, &Agree, cancel_), FailsWith(Code::kNotFound));
  EXPECT_EQ(program.answers(), "");
}

}  // namespace
}  // namespace crd::criu
