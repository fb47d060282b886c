// What crd relies on, asked of the real program (needs root): CRD_CRIU, else where deploy/setup
// puts it. A machine without CRIU fails these tests; `ctest -LE criu` leaves them out.
#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <fstream>
#include <optional>
#include <sstream>

#include <fcntl.h>
#include <linux/close_range.h>
#include <linux/magic.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <sys/wait.h>

#include "daemon/base/files.h"
#include "daemon/criu/images.h"
#include "daemon/criu/swrk_criu.h"
#include "tests/support/result_matchers.h"
#include "tests/support/temp_dir.h"
#include "tests/support/test_process.h"
#include "tests/unit/criu/criu_path.h"

namespace crd::criu {
namespace {

using ::crd::testing::FailsWith;
using ::crd::testing::IsOk;
using ::crd::testing::Refuses;
using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

Result<void> Agree(DumpStage) { return {}; }
Result<void> AgreeToRestore(RestoreStage, pid_t) { return {}; }
Error Objection() { return {.code = Code::kAborted, .reason = "MINE", .message = "no"}; }

UniqueFd Open(const std::string& path, int flags) {
  return UniqueFd(::open(path.c_str(), flags | O_CLOEXEC));
}

class RealCriuTest : public ::testing::Test {
 protected:
  RealCriuTest()
      : null_(Open("/dev/null", O_RDWR)),
        images_(Open(directory_.path(), O_RDONLY | O_DIRECTORY)),
        criu_(SwrkCriu::Create(CriuPath(), children_)) {}

  void SetUp() override {
    // What the test runner left open, its growing log, would be part of every tree made here.
    ASSERT_EQ(::close_range(3, ~0U, CLOSE_RANGE_CLOEXEC), 0);
    testing::EnsureSession();
    ASSERT_EQ(criu_->problem(), "");
  }

  void TearDown() override {
    victim_.reset();
    if (restored_ > 0) {
      ::kill(restored_, SIGKILL);
      ::waitpid(restored_, nullptr, 0);
    }
    children_.ReapStrangers();
    EXPECT_EQ(::waitpid(-1, nullptr, WNOHANG), -1) << "a child is left";
  }

  void StartVictim(std::vector<std::string> argv, bool new_session = true) {
    StartVictim(std::move(argv), null_.ref(), null_.ref(), new_session);
  }
  void StartVictim(std::vector<std::string> argv, FdRef in, FdRef out, bool new_session = true) {
    auto child = children_.Launch({.argv = std::move(argv),
                                   .descriptors = {{in, 0}, {out, 1}, {null_.ref(), 2}},
                                   .new_session = new_session});
    ASSERT_TRUE(child.ok()) << child.error().message;
    victim_.emplace(std::move(*child));
    // Until it has become the program, it is not what is to be dumped.
    const auto deadline = SteadyClock::now() + seconds(10);
    while (SteadyClock::now() < deadline && StateOf(victim_->pid()) != 'S') ::usleep(1000);
    ASSERT_EQ(StateOf(victim_->pid()), 'S');
  }

  DumpRequest DumpOf(pid_t pid) {
    DumpRequest request;
    request.pid = pid;
    request.images = request.work = images_.ref();
    request.deadline = SteadyClock::now() + seconds(30);
    return request;
  }
  RestoreRequest RestoreOf() {
    RestoreRequest request;
    request.images = request.work = images_.ref();
    request.deadline = SteadyClock::now() + seconds(30);
    return request;
  }

  // Dumps the victim for good, and waits until its pid is free.
  pid_t DumpAway(const DumpOptions& options = {}) {
    DumpRequest request = DumpOf(victim_->pid());
    request.options = options;
    const auto dumped = criu_->Dump(request, &Agree, cancel_);
    EXPECT_TRUE(dumped.ok()) << ::testing::PrintToString(dumped);
    const auto status = victim_->Wait(SteadyClock::now() + seconds(10));
    EXPECT_EQ(status.ok() ? status->signal : std::nullopt, SIGKILL);
    return request.pid;
  }

  void Restore(const RestoreRequest& request) {
    const auto restored = criu_->Restore(request, &AgreeToRestore, cancel_);
    ASSERT_TRUE(restored.ok()) << ::testing::PrintToString(restored) << "\n"
                               << ReadFile(directory_ / "restore.log").Annotate("").ok();
    restored_ = restored->pid;
  }

  static std::string Status(pid_t pid, const std::string& field) {
    std::ifstream file("/proc/" + std::to_string(pid) + "/status");
    std::string line;
    while (std::getline(file, line)) {
      if (line.starts_with(field + ":\t")) return line.substr(field.size() + 2);
    }
    return {};
  }
  static char StateOf(pid_t pid) { return Status(pid, "State").append(1, '-').front(); }

  // Alive, let go by CRIU, and doing what it is told: one that is stopped would not die of this.
  void ExpectVictimRuns() {
    EXPECT_EQ(Status(victim_->pid(), "TracerPid"), "0");
    ASSERT_EQ(::kill(victim_->pid(), SIGTERM), 0);
    const auto status = victim_->Wait(SteadyClock::now() + seconds(10));
    ASSERT_TRUE(status.ok());
    EXPECT_EQ(status->signal, SIGTERM);
  }

  // The other child of this process while an action runs.
  pid_t FindCriu() {
    std::ifstream list("/proc/self/task/" + std::to_string(::getpid()) + "/children");
    pid_t pid = 0;
    while (list >> pid) {
      if (pid != victim_->pid()) return pid;
    }
    return 0;
  }

  testing::TempDir directory_;
  UniqueFd null_;
  UniqueFd images_;
  Children children_;
  CancelToken cancel_;
  std::unique_ptr<SwrkCriu> criu_;
  std::optional<Child> victim_;
  pid_t restored_ = 0;
};

TEST_F(RealCriuTest, DumpEndsTheTreeAndReportsFigures) {
  StartVictim({"/bin/sleep", "1000"});
  std::vector<DumpStage> stages;
  const auto dumped = criu_->Dump(
      DumpOf(victim_->pid()),
      [&](DumpStage stage) -> Result<void> {
        stages.push_back(stage);
        return {};
      },
      cancel_);
  ASSERT_TRUE(dumped.ok()) << ::testing::PrintToString(dumped);
  EXPECT_THAT(stages, ElementsAre(DumpStage::kPreDump, DumpStage::kPostDump));
  EXPECT_GT(dumped->statistics.frozen_us, 0U);
  EXPECT_GT(dumped->statistics.pages_written, 0U);
  ASSERT_OK_AND_ASSIGN(const ExitStatus status, victim_->Wait(SteadyClock::now() + seconds(10)));
  EXPECT_EQ(status.signal, SIGKILL);
}

TEST_F(RealCriuTest, ImagesTellTheTreeAndTheRun) {
  StartVictim({"/bin/sleep", "1000"});
  const pid_t pid = DumpAway();
  ASSERT_OK_AND_ASSIGN(const auto tasks, ReadTasks(images_.ref()));
  ASSERT_EQ(tasks.size(), 1U);
  EXPECT_EQ(tasks[0].pid, pid);
  EXPECT_EQ(tasks[0].sid, pid);
  EXPECT_THAT(tasks[0].threads, ElementsAre(pid));
  ASSERT_OK_AND_ASSIGN(const auto inventory, ReadInventory(images_.ref()));
  EXPECT_EQ(inventory.dump_run_id.size(), 36U);
}

TEST_F(RealCriuTest, LeaveRunningLeavesItRunning) {
  StartVictim({"/bin/sleep", "1000"});
  DumpRequest request = DumpOf(victim_->pid());
  request.options.leave_running = true;
  EXPECT_THAT(criu_->Dump(request, &Agree, cancel_), IsOk());
  ExpectVictimRuns();
}

TEST_F(RealCriuTest, VetoAtPostDumpLeavesTheTreeRunning) {
  StartVictim({"/bin/sleep", "1000"});
  char state = 0;
  const auto dumped = criu_->Dump(
      DumpOf(victim_->pid()),
      [&](DumpStage stage) -> Result<void> {
        if (stage != DumpStage::kPostDump) return {};
        state = StateOf(victim_->pid());
        return Objection();
      },
      cancel_);
  EXPECT_THAT(dumped, Refuses("MINE"));
  EXPECT_EQ(state, 't');
  ExpectVictimRuns();
}

TEST_F(RealCriuTest, CancelledDumpIsRolledBackCleanly) {
  StartVictim({"/bin/sleep", "1000"});
  const auto dumped = criu_->Dump(
      DumpOf(victim_->pid()),
      [&](DumpStage) -> Result<void> {
        cancel_.Cancel();
        return {};
      },
      cancel_);
  EXPECT_THAT(dumped, FailsWith(Code::kCancelled));
  EXPECT_EQ(dumped.error().reason, "");
  ExpectVictimRuns();
}

TEST_F(RealCriuTest, DeadlineEndsAStoppedCriuAndTheTreeRunsOn) {
  StartVictim({"/bin/sleep", "1000"});
  DumpRequest request = DumpOf(victim_->pid());
  request.deadline = SteadyClock::now() + milliseconds(500);
  const auto dumped = criu_->Dump(
      request,
      [&](DumpStage) -> Result<void> {
        ::kill(FindCriu(), SIGSTOP);
        return {};
      },
      cancel_);
  EXPECT_THAT(dumped, FailsWith(Code::kDeadlineExceeded));
  EXPECT_THAT(dumped, Refuses("CRIU_KILLED"));
  ExpectVictimRuns();
}

TEST_F(RealCriuTest, CriuKilledWhileTheTreeIsFrozenLeavesItRunning) {
  StartVictim({"/bin/sleep", "1000"});
  const auto dumped = criu_->Dump(
      DumpOf(victim_->pid()),
      [&](DumpStage stage) -> Result<void> {
        if (stage == DumpStage::kPostDump) ::kill(FindCriu(), SIGKILL);
        return {};
      },
      cancel_);
  EXPECT_THAT(dumped, Refuses("CRIU_KILLED"));
  EXPECT_THAT(dumped.error().message, HasSubstr("signal 9"));
  ExpectVictimRuns();
}

TEST_F(RealCriuTest, DumpOfNobodyIsNotFound) {
  // Ended and reaped a moment ago, so nobody has its pid.
  StartVictim({"/bin/sleep", "1000"});
  const pid_t pid = victim_->pid();
  victim_.reset();
  EXPECT_THAT(criu_->Dump(DumpOf(pid), &Agree, cancel_), FailsWith(Code::kNotFound));
}

TEST_F(RealCriuTest, TreeThatIsNoSessionIsRefusedWithTheOptionThatHelps) {
  StartVictim({"/bin/sleep", "1000"}, /*new_session=*/false);
  const auto dumped = criu_->Dump(DumpOf(victim_->pid()), &Agree, cancel_);
  EXPECT_THAT(dumped, Refuses("SHELL_JOB"));
  EXPECT_THAT(dumped.error().log_lines, Contains(HasSubstr("session leader")));
  ExpectVictimRuns();
}

TEST_F(RealCriuTest, RestoredTreeIsOurChildWithItsOldPid) {
  StartVictim({"/bin/sleep", "1000"});
  const pid_t pid = DumpAway();
  std::vector<std::pair<RestoreStage, pid_t>> stages;
  const auto restored = criu_->Restore(
      RestoreOf(),
      [&](RestoreStage stage, pid_t root) -> Result<void> {
        stages.emplace_back(stage, root);
        return {};
      },
      cancel_);
  ASSERT_TRUE(restored.ok()) << ::testing::PrintToString(restored);
  restored_ = restored->pid;
  using Seen = std::pair<RestoreStage, pid_t>;
  EXPECT_THAT(
      stages,
      ElementsAre(Seen(RestoreStage::kPreRestore, 0), Seen(RestoreStage::kPostRestore, pid),
                  Seen(RestoreStage::kPreResume, pid), Seen(RestoreStage::kPostResume, pid)));
  EXPECT_EQ(restored->pid, pid);
  EXPECT_EQ(Status(pid, "PPid"), std::to_string(::getpid()));
  EXPECT_GT(restored->statistics.restore_us, 0U);
}

TEST_F(RealCriuTest, ExitStatusOfARestoredTreeIsNotReapedAsAStrangers) {
  StartVictim({"/bin/sleep", "1000"});
  const pid_t pid = DumpAway();
  Restore(RestoreOf());
  ASSERT_OK_AND_ASSIGN(const PidFd process, PidFd::Open(pid));
  ::kill(pid, SIGTERM);
  ASSERT_TRUE(process.WaitExit(SteadyClock::now() + seconds(10)));
  EXPECT_EQ(children_.ReapStrangers(), 0);
  EXPECT_EQ(process.TakeExitStatus(SteadyClock::now()).signal, SIGTERM);
  restored_ = 0;
}

TEST_F(RealCriuTest, TakenPidIsRefusedAndTheImagesStayGood) {
  StartVictim({"/bin/sleep", "1000"});
  DumpRequest request = DumpOf(victim_->pid());
  request.options.leave_running = true;
  ASSERT_THAT(criu_->Dump(request, &Agree, cancel_), IsOk());
  const auto restored = criu_->Restore(RestoreOf(), &AgreeToRestore, cancel_);
  EXPECT_THAT(restored, Refuses("PID_TAKEN"));
  EXPECT_THAT(restored, FailsWith(Code::kAlreadyExists));
  EXPECT_EQ(restored.error().sys_errno, EEXIST);
  victim_.reset();
  Restore(RestoreOf());
}

TEST_F(RealCriuTest, VetoAtPostRestoreLeavesNothingAndTheImagesStayGood) {
  StartVictim({"/bin/sleep", "1000"});
  const pid_t pid = DumpAway();
  const auto vetoed = criu_->Restore(
      RestoreOf(),
      [&](RestoreStage stage, pid_t) -> Result<void> {
        if (stage == RestoreStage::kPostRestore) return Objection();
        return {};
      },
      cancel_);
  EXPECT_THAT(vetoed, Refuses("MINE"));
  // CRIU has killed it; as our child it is ours to reap.
  const auto deadline = SteadyClock::now() + seconds(10);
  while (SteadyClock::now() < deadline && ::kill(pid, 0) == 0) children_.ReapStrangers();
  EXPECT_EQ(::kill(pid, 0), -1);
  Restore(RestoreOf());
}

TEST_F(RealCriuTest, PipesAreReplacedByInheritedOnes) {
  int in[2];
  int out[2];
  ASSERT_EQ(::pipe2(in, O_CLOEXEC), 0);
  ASSERT_EQ(::pipe2(out, O_CLOEXEC), 0);
  const UniqueFd ends[] = {UniqueFd(in[0]), UniqueFd(in[1]), UniqueFd(out[0]), UniqueFd(out[1])};
  StartVictim({"/bin/cat"}, ends[0].ref(), ends[3].ref());
  struct stat old_in {};
  struct stat old_out {};
  ASSERT_EQ(::fstat(in[0], &old_in), 0);
  ASSERT_EQ(::fstat(out[0], &old_out), 0);
  DumpAway();

  ASSERT_EQ(::pipe2(in, O_CLOEXEC), 0);
  ASSERT_EQ(::pipe2(out, O_CLOEXEC), 0);
  const UniqueFd fresh[] = {UniqueFd(in[0]), UniqueFd(in[1]), UniqueFd(out[0]), UniqueFd(out[1])};
  RestoreRequest request = RestoreOf();
  request.inherit = {{fmt::format("pipe:[{}]", old_in.st_ino), fresh[0].ref()},
                     {fmt::format("pipe:[{}]", old_out.st_ino), fresh[3].ref()}};
  Restore(request);
  ASSERT_EQ(::write(fresh[1].get(), "hello", 5), 5);
  char echoed[5] = {};
  ASSERT_EQ(::read(fresh[2].get(), echoed, sizeof echoed), 5);
  EXPECT_EQ(std::string(echoed, 5), "hello");
}

class FileLockTest : public RealCriuTest {
 protected:
  void StartLocker() {
    file_ = Open(directory_ / "lock", O_RDWR | O_CREAT);
    StartVictim({"/usr/bin/flock", "--no-fork", directory_ / "lock", "/bin/sleep", "1000"});
    const auto deadline = SteadyClock::now() + seconds(10);
    while (SteadyClock::now() < deadline && !IsLocked()) ::usleep(1000);
    ASSERT_TRUE(IsLocked());
  }
  bool IsLocked() {
    const bool locked = ::flock(file_.get(), LOCK_EX | LOCK_NB) != 0;
    ::flock(file_.get(), LOCK_UN);
    return locked;
  }
  UniqueFd file_;
};

TEST_F(FileLockTest, DumpWithoutTheOptionIsRefused) {
  StartLocker();
  EXPECT_THAT(criu_->Dump(DumpOf(victim_->pid()), &Agree, cancel_), Refuses("FILE_LOCKS"));
  EXPECT_TRUE(IsLocked());
  ExpectVictimRuns();
}

TEST_F(FileLockTest, AreHeldAgainWhenAskedForAtBothEnds) {
  StartLocker();
  DumpAway({.file_locks = true});
  EXPECT_FALSE(IsLocked());
  RestoreRequest request = RestoreOf();
  request.file_locks = true;
  Restore(request);
  EXPECT_TRUE(IsLocked());
}

TEST_F(FileLockTest, AreLostSilentlyWhenNotAskedForAgain) {
  StartLocker();
  DumpAway({.file_locks = true});
  Restore(RestoreOf());
  EXPECT_FALSE(IsLocked());
}

class CgroupTest : public RealCriuTest {
 protected:
  void SetUp() override {
    RealCriuTest::SetUp();
    for (const std::string mount : {"/sys/fs/cgroup", "/sys/fs/cgroup/unified"}) {
      struct statfs status {};
      if (::statfs(mount.c_str(), &status) != 0 || status.f_type != CGROUP2_SUPER_MAGIC) continue;
      name_ = "crd-test-" + std::to_string(::getpid());
      path_ = mount + "/" + name_;
      ASSERT_EQ(::mkdir(path_.c_str(), 0700), 0) << path_;
      cgroup_ = Open(path_, O_RDONLY | O_DIRECTORY);
      return;
    }
    FAIL() << "this machine has no cgroup2";
  }
  void TearDown() override {
    RealCriuTest::TearDown();
    const auto deadline = SteadyClock::now() + seconds(10);
    while (::rmdir(path_.c_str()) != 0 && errno == EBUSY && SteadyClock::now() < deadline) {
      ::usleep(1000);
    }
  }
  std::string name_;
  std::string path_;
  UniqueFd cgroup_;
};

TEST_F(CgroupTest, HoldsCriuAndTheRestoredTree) {
  StartVictim({"/bin/sleep", "1000"});
  const pid_t pid = DumpAway();
  RestoreRequest request = RestoreOf();
  request.cgroup = cgroup_.ref();
  Restore(request);
  EXPECT_THAT(*ReadFile("/proc/" + std::to_string(pid) + "/cgroup"), HasSubstr("0::/" + name_));
  EXPECT_EQ(*ReadFile(path_ + "/cgroup.procs"), std::to_string(pid) + "\n");
}

TEST_F(CgroupTest, KillsWhatACancelledRestoreLeavesBehind) {
  StartVictim({"/bin/sleep", "1000"});
  const pid_t pid = DumpAway();
  RestoreRequest request = RestoreOf();
  request.cgroup = cgroup_.ref();
  pid_t criu = 0;
  const auto restored = criu_->Restore(
      request,
      [&](RestoreStage stage, pid_t) -> Result<void> {
        if (stage != RestoreStage::kPostRestore) return {};
        // The tree is complete and waits; nobody is left to let it go.
        std::istringstream(*ReadFile(path_ + "/cgroup.procs")) >> criu;
        ::kill(criu, SIGKILL);
        return {};
      },
      cancel_);
  EXPECT_THAT(restored, Refuses("CRIU_KILLED"));
  std::ofstream(path_ + "/cgroup.kill") << "1" << std::flush;
  const auto deadline = SteadyClock::now() + seconds(10);
  while (SteadyClock::now() < deadline && ::kill(pid, 0) == 0) children_.ReapStrangers();
  EXPECT_EQ(::kill(pid, 0), -1);
  Restore(RestoreOf());
}

}  // namespace
}  // namespace crd::criu
