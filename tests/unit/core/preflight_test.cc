#include "daemon/core/preflight.h"

#include <algorithm>
#include <cstring>
#include <fstream>
#include <thread>

#include <fcntl.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "daemon/core/inspect_processes.h"
#include "tests/unit/core/preflight_fixture.h"

namespace crd {
namespace {

using ::crd::testing::ForkDying;
using ::crd::testing::Inspect;
using ::crd::testing::Messages;
using ::crd::testing::Must;
using ::crd::testing::Reasons;
using ::crd::testing::Refuses;
using ::crd::testing::SleepForEver;
using ::crd::testing::TestProcess;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

// --- targets ---

TEST(PreflightTargetTest, NumberThatIsNoPid) {
  EXPECT_THAT(Inspect(0), Refuses("INVALID_PID"));
  EXPECT_THAT(Inspect(-5), Refuses("INVALID_PID"));
}

TEST(PreflightTargetTest, ProcessThatIsNotThere) {
  TestProcess process;
  const pid_t pid = process.pid();
  process.Stop();
  EXPECT_THAT(Inspect(pid), Refuses("NO_SUCH_PROCESS"));
  EXPECT_THAT(Inspect(2147483647), Refuses("NO_SUCH_PROCESS"));
}

TEST(PreflightTargetTest, InitAndKernelThreads) {
  EXPECT_THAT(Inspect(1), Refuses("INIT_PROCESS"));
  const Result<TreeProcess> two = ReadProcess(2);
  if (!two.ok() || !two.value().kernel_thread) GTEST_SKIP() << "no kernel threads in sight here";
  EXPECT_THAT(Inspect(2), Refuses("KERNEL_THREAD"));
}

TEST(PreflightTargetTest, CrdAndItsAncestors) {
  EXPECT_THAT(Inspect(::getpid()), Refuses("CRD_IN_TREE"));
  for (const pid_t ancestor : ReadAncestors(::getpid())) {
    EXPECT_THAT(Inspect(ancestor), Refuses(ancestor == 1 ? "INIT_PROCESS" : "CRD_IN_TREE"));
  }
}

TEST(PreflightTargetTest, ThreadIsRefusedWithTheProcessThatIsMeant) {
  const TestProcess process([] { std::thread([] { SleepForEver(); }).detach(); });
  ASSERT_OK_AND_ASSIGN(const proc::ProcDir directory, proc::ProcDir::Open(process.pid()));
  ASSERT_OK_AND_ASSIGN(const std::vector<int> threads, directory.ListNumbers("task"));
  ASSERT_EQ(threads.size(), 2U);
  const Result<Preflight> preflight = Inspect(threads.back());
  EXPECT_THAT(preflight, Refuses("THREAD_NOT_PROCESS"));
  EXPECT_THAT(preflight.error().hint, HasSubstr(std::to_string(process.pid())));
}

TEST(PreflightTargetTest, Zombie) {
  const TestProcess process;
  process.Kill();
  siginfo_t info{};
  ASSERT_EQ(::waitid(P_PID, static_cast<id_t>(process.pid()), &info, WEXITED | WNOWAIT), 0);
  EXPECT_THAT(Inspect(process.pid()), Refuses("ZOMBIE"));
}

TEST(PreflightTargetTest, MainThreadThatHasEnded) {
  const TestProcess process([] {
    const pid_t leader = ForkDying();
    if (leader != 0) return;
    std::thread([] { SleepForEver(); }).detach();
    ::syscall(SYS_exit, 0);
  });
  ASSERT_OK_AND_ASSIGN(ProcessTree tree, ReadProcessTree(process.pid()));
  while (tree.processes().back().state != 'Z') {
    ASSERT_OK_AND_ASSIGN(tree, ReadProcessTree(process.pid()));
  }
  const pid_t leader = tree.processes().back().pid;
  EXPECT_THAT(Inspect(leader), Refuses("MAIN_THREAD_EXITED"));
  EXPECT_THAT(Reasons(process.pid()), ElementsAre("MAIN_THREAD_EXITED"));
}

TEST(PreflightTargetTest, TreesThatAnotherOperationWorksOn) {
  const TestProcess process([] {
    if (ForkDying() == 0) SleepForEver();
  });
  ASSERT_OK_AND_ASSIGN(const ProcessTree tree, ReadProcessTree(process.pid()));
  const pid_t child = tree.processes().back().pid;
  EXPECT_THAT(Inspect(child, {}, {process.pid()}), Refuses("INSIDE_BUSY_TREE"));
  EXPECT_THAT(Inspect(process.pid(), {}, {child}), Refuses("CONTAINS_BUSY_TREE"));
  EXPECT_THAT(Inspect(process.pid(), {}, {process.pid(), child}), Refuses("TREE_BUSY"));
  EXPECT_TRUE(Inspect(process.pid(), {}, {::getpid() + 1000000}).ok());
}

// --- processes ---

TEST(PreflightTest, QuietProcessHasNoObstacles) {
  const TestProcess process;
  ASSERT_OK_AND_ASSIGN(const Preflight preflight, Inspect(process.pid()));
  EXPECT_THAT(Messages(process.pid()), IsEmpty());
  EXPECT_THAT(preflight.stdio, IsEmpty());
  EXPECT_THAT(preflight.external, IsEmpty());
  EXPECT_EQ(preflight.tree.root().pid, process.pid());
  EXPECT_GT(preflight.memory_bytes, 0U);
}

TEST(PreflightTest, TracedProcessIsNamedWithItsTracer) {
  const TestProcess process;
  ASSERT_EQ(::ptrace(PTRACE_SEIZE, process.pid(), nullptr, nullptr), 0);
  EXPECT_THAT(Reasons(process.pid()), ElementsAre("TRACED"));
  EXPECT_THAT(Messages(process.pid()), HasSubstr(fmt::format("(pid {})", ::getpid())));
  ASSERT_EQ(::ptrace(PTRACE_INTERRUPT, process.pid(), nullptr, nullptr), 0);
  ::waitpid(process.pid(), nullptr, 0);
  ASSERT_EQ(::ptrace(PTRACE_DETACH, process.pid(), nullptr, nullptr), 0);
  EXPECT_THAT(Reasons(process.pid()), IsEmpty());
}

TEST(PreflightTest, TracerOfASingleThreadIsSeen) {
  const TestProcess process([] { std::thread([] { SleepForEver(); }).detach(); });
  ASSERT_OK_AND_ASSIGN(const proc::ProcDir directory, proc::ProcDir::Open(process.pid()));
  ASSERT_OK_AND_ASSIGN(const std::vector<int> threads, directory.ListNumbers("task"));
  ASSERT_EQ(::ptrace(PTRACE_SEIZE, threads.back(), nullptr, nullptr), 0);
  EXPECT_THAT(Reasons(process.pid()), ElementsAre("TRACED"));
  // The process cannot be reaped before its tracer has reaped the thread.
  process.Kill();
  EXPECT_EQ(::waitpid(threads.back(), nullptr, __WALL), threads.back());
}

TEST(PreflightTest, OtherUsersNeedCapSysResource) {
  const TestProcess process([] { Must(::setresuid(65534, 65534, 65534) == 0); });
  ASSERT_OK_AND_ASSIGN(const TreeProcess read, ReadProcess(process.pid()));
  EXPECT_THAT(InspectProcess(read, true), IsEmpty());
  const std::vector<Obstacle> obstacles = InspectProcess(read, false);
  ASSERT_EQ(obstacles.size(), 1U);
  EXPECT_EQ(obstacles[0].error.reason, "NEEDS_CAP_SYS_RESOURCE");
  EXPECT_THAT(obstacles[0].error.message, HasSubstr("user 65534"));
}

TEST(PreflightTest, GroupAloneMakesAnotherUserToo) {
  const TestProcess process([] { Must(::setresgid(0, 65534, 0) == 0); });
  ASSERT_OK_AND_ASSIGN(const TreeProcess read, ReadProcess(process.pid()));
  EXPECT_EQ(InspectProcess(read, false).size(), 1U);
}

TEST(PreflightTest, BlockedSigtrapIsInTheWay) {
  const TestProcess process([] {
    sigset_t trap;
    sigemptyset(&trap);
    sigaddset(&trap, SIGTRAP);
    ::pthread_sigmask(SIG_BLOCK, &trap, nullptr);
    ::raise(SIGTRAP);
  });
  EXPECT_THAT(Reasons(process.pid()), ElementsAre("PENDING_SIGTRAP"));
}

TEST(PreflightTest, SessionLedFromOutsideNeedsShellJob) {
  TestProcess::Options options;
  options.new_session = false;
  const TestProcess process(options);
  EXPECT_THAT(Reasons(process.pid()), ElementsAre("NEEDS_SHELL_JOB"));
  EXPECT_THAT(Reasons(process.pid(), {.shell_job = true}), IsEmpty());
}

TEST(PreflightTest, SessionLedFromOutsideOfThePidNamespaceIsInTheWay) {
  const pid_t outside = ::fork();
  if (outside == 0) {
    if (::unshare(CLONE_NEWPID | CLONE_NEWNS) != 0) ::_exit(2);
    const pid_t init = ::fork();
    if (init == 0) {
      Must(::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0);
      Must(::mount("proc", "/proc", "proc", 0, nullptr) == 0);
      const pid_t root = ForkDying();
      if (root == 0) SleepForEver();
      for (const bool shell_job : {false, true}) {
        const auto reasons = Reasons(root, {.shell_job = shell_job});
        Must(std::count(reasons.begin(), reasons.end(), "SESSION_OUTSIDE_NAMESPACE") == 1);
        Must(std::count(reasons.begin(), reasons.end(), "NEEDS_SHELL_JOB") == 0);
      }
      ::_exit(0);
    }
    int status = 0;
    ::waitpid(init, &status, 0);
    ::_exit(WIFEXITED(status) ? WEXITSTATUS(status) : 3);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(outside, &status, 0), outside);
  EXPECT_EQ(status, 0);
}

TEST(PreflightTest, ChildInASessionOfSomebodyElseIsInTheWay) {
  TestProcess::Options options;
  options.new_session = false;
  const TestProcess process(options, [] {
    if (ForkDying() == 0) SleepForEver();
    Must(::setsid() > 0);
  });
  if (!ReadProcess(::getsid(0)).ok()) GTEST_SKIP() << "the leader of this session has ended";
  EXPECT_THAT(Reasons(process.pid(), {.shell_job = true})[0], "LEADER_OUTSIDE");
}

TEST(PreflightTest, SessionsWithinTheTreeAreFine) {
  const TestProcess process([] {
    if (ForkDying() == 0) {
      ::setsid();
      SleepForEver();
    }
  });
  EXPECT_THAT(Reasons(process.pid()), IsEmpty());
}

// --- namespaces ---

TEST(PreflightNamespaceTest, RootInAnotherMountNamespaceIsAContainer) {
  const TestProcess process([] { Must(::unshare(CLONE_NEWNS) == 0); });
  EXPECT_THAT(Reasons(process.pid()), ElementsAre("FOREIGN_NAMESPACE"));
}

TEST(PreflightNamespaceTest, RootMayHaveItsOwnNetworkHostNameAndIpc) {
  const TestProcess process(
      [] { Must(::unshare(CLONE_NEWNET | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWCGROUP) == 0); });
  EXPECT_THAT(Messages(process.pid()), IsEmpty());
}

TEST(PreflightNamespaceTest, NamespacesNestedInTheTreeAreInTheWay) {
  for (const int kind : {CLONE_NEWUTS, CLONE_NEWIPC, CLONE_NEWNET, CLONE_NEWNS, CLONE_NEWCGROUP}) {
    const TestProcess process([&] {
      int done[2];
      Must(::pipe(done) == 0);
      if (ForkDying() == 0) {
        ::close(done[0]);
        ::unshare(kind);
        ::close(done[1]);
        SleepForEver();
      }
      ::close(done[1]);
      char byte;
      Must(::read(done[0], &byte, 1) == 0);
      ::close(done[0]);
    });
    EXPECT_THAT(Reasons(process.pid()), ElementsAre("NESTED_NAMESPACE")) << kind;
  }
}

TEST(PreflightNamespaceTest, NetworksMayBeNestedInANetworkOfTheTree) {
  const TestProcess process([] {
    Must(::unshare(CLONE_NEWNET) == 0);
    if (ForkDying() == 0) {
      ::unshare(CLONE_NEWNET);
      SleepForEver();
    }
  });
  EXPECT_THAT(Messages(process.pid()), IsEmpty());
}

}  // namespace
}  // namespace crd
