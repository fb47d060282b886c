#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <fstream>
#include <sstream>
#include <utility>
#include <vector>

#include <linux/magic.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include "tests/unit/criu/real_criu_fixture.h"

namespace crd::criu {
namespace {

using ::crd::testing::Refuses;
using std::chrono::seconds;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

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
