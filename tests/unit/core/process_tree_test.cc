#include "daemon/core/process_tree.h"

#include <algorithm>
#include <cstring>
#include <thread>

#include <gtest/gtest.h>
#include <sys/mman.h>

#include "tests/support/result_matchers.h"
#include "tests/support/test_process.h"

namespace crd {
namespace {

using ::crd::testing::FailsWith;
using ::crd::testing::ForkDying;
using ::crd::testing::Must;
using ::crd::testing::SleepForEver;
using ::crd::testing::TestProcess;

std::size_t IndexOf(const ProcessTree& tree, pid_t pid) {
  const auto& all = tree.processes();
  return static_cast<std::size_t>(
      std::find_if(all.begin(), all.end(), [&](const auto& p) { return p.pid == pid; }) -
      all.begin());
}

TEST(ProcessTreeTest, RootComesFirstAndParentsBeforeChildren) {
  const TestProcess root([] {
    for (int i = 0; i < 3; ++i) {
      if (ForkDying() != 0) continue;
      if (ForkDying() == 0) SleepForEver();
      SleepForEver();
    }
  });
  // The grandchildren come when they come: read until all seven are there.
  const Deadline deadline = SteadyClock::now() + std::chrono::seconds(20);
  ASSERT_OK_AND_ASSIGN(ProcessTree tree, ReadProcessTree(root.pid()));
  while (tree.processes().size() < 7 && SteadyClock::now() < deadline) {
    ASSERT_OK_AND_ASSIGN(tree, ReadProcessTree(root.pid()));
  }
  ASSERT_EQ(tree.processes().size(), 7U);
  EXPECT_EQ(tree.root().pid, root.pid());
  EXPECT_EQ(tree.root().ppid, ::getpid());
  for (const TreeProcess& process : tree.processes()) {
    if (process.pid == root.pid()) continue;
    EXPECT_LT(IndexOf(tree, process.ppid), IndexOf(tree, process.pid));
    EXPECT_EQ(process.sid, root.pid());
  }
  EXPECT_TRUE(tree.Contains(root.pid()));
  EXPECT_FALSE(tree.Contains(::getpid()));
}

TEST(ProcessTreeTest, SeesChildrenOfThreadsThatDoNotLead) {
  const TestProcess root([] {
    std::thread([] {
      if (ForkDying() == 0) SleepForEver();
      SleepForEver();
    }).detach();
    // The leader has no child of its own; wait for the thread's.
    while (true) {
      const auto children = proc::ReadChildren(proc::ProcDir::Open(::getpid()).value());
      if (children.ok() && !children.value().empty()) break;
    }
  });
  ASSERT_OK_AND_ASSIGN(const ProcessTree tree, ReadProcessTree(root.pid()));
  ASSERT_EQ(tree.processes().size(), 2U);
  EXPECT_EQ(tree.root().threads, 2);
}

TEST(ProcessTreeTest, NameMayContainParenthesesAndBlanks) {
  const TestProcess root([] { ::prctl(PR_SET_NAME, "a) S 1 (b"); });
  ASSERT_OK_AND_ASSIGN(const TreeProcess process, ReadProcess(root.pid()));
  EXPECT_EQ(process.comm, "a) S 1 (b");
  EXPECT_EQ(process.ppid, ::getpid());
  EXPECT_EQ(process.Describe(), fmt::format("a) S 1 (b (pid {})", root.pid()));
}

TEST(ProcessTreeTest, StartTimeIsTheOneThatIdentifiesProcesses) {
  const TestProcess root;
  ASSERT_OK_AND_ASSIGN(const TreeProcess process, ReadProcess(root.pid()));
  ASSERT_OK_AND_ASSIGN(const std::uint64_t start, ReadStartTime(root.pid()));
  EXPECT_EQ(process.start_time, start);
}

TEST(ProcessTreeTest, MemoryCountsPrivateAndSharedPagesButNoFiles) {
  constexpr std::size_t kSize = 16U << 20U;
  const TestProcess root([] {
    for (const int kind : {MAP_PRIVATE, MAP_SHARED}) {
      void* memory = ::mmap(nullptr, kSize, PROT_READ | PROT_WRITE, kind | MAP_ANONYMOUS, -1, 0);
      Must(memory != MAP_FAILED);
      std::memset(memory, 1, kSize);
    }
  });
  ASSERT_OK_AND_ASSIGN(const ProcessTree tree, ReadProcessTree(root.pid()));
  EXPECT_GE(tree.MemoryBytes(), 2 * kSize);
  EXPECT_LT(tree.MemoryBytes(), 3 * kSize);
}

TEST(ProcessTreeTest, MemoryThatProcessesShareCountsOnce) {
  constexpr std::size_t kSize = 16U << 20U;
  const TestProcess root([] {
    void* memory =
        ::mmap(nullptr, kSize, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    Must(memory != MAP_FAILED);
    std::memset(memory, 1, kSize);
    for (int i = 0; i < 3; ++i) {
      int done[2];
      Must(::pipe(done) == 0);
      if (ForkDying() == 0) {
        std::memset(memory, 2, kSize);
        Must(::write(done[1], "d", 1) == 1);
        SleepForEver();
      }
      char byte = 0;
      Must(::read(done[0], &byte, 1) == 1);
    }
  });
  ASSERT_OK_AND_ASSIGN(const ProcessTree tree, ReadProcessTree(root.pid()));
  ASSERT_EQ(tree.processes().size(), 4U);
  EXPECT_GE(tree.MemoryBytes(), kSize);
  EXPECT_LT(tree.MemoryBytes(), 2 * kSize);
}

TEST(ProcessTreeTest, DifferentSharedMemoryOfProcessesIsAddedUp) {
  constexpr std::size_t kSize = 16U << 20U;
  const TestProcess root([] {
    for (int i = 0; i < 2; ++i) {
      int done[2];
      Must(::pipe(done) == 0);
      if (ForkDying() == 0) {
        void* memory =
            ::mmap(nullptr, kSize, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        Must(memory != MAP_FAILED);
        std::memset(memory, 2, kSize);
        Must(::write(done[1], "d", 1) == 1);
        SleepForEver();
      }
      char byte = 0;
      Must(::read(done[0], &byte, 1) == 1);
    }
  });
  ASSERT_OK_AND_ASSIGN(const ProcessTree tree, ReadProcessTree(root.pid()));
  EXPECT_GE(tree.MemoryBytes(), 2 * kSize);
  EXPECT_LT(tree.MemoryBytes(), 3 * kSize);
}

TEST(ProcessTreeTest, ZombieIsSeenAsSuch) {
  const TestProcess root([] {
    const pid_t child = ::fork();
    if (child == 0) ::_exit(3);
    siginfo_t info{};
    ::waitid(P_PID, static_cast<id_t>(child), &info, WEXITED | WNOWAIT);
  });
  ASSERT_OK_AND_ASSIGN(const ProcessTree tree, ReadProcessTree(root.pid()));
  ASSERT_EQ(tree.processes().size(), 2U);
  EXPECT_FALSE(tree.root().zombie());
  EXPECT_TRUE(tree.processes()[1].zombie());
  EXPECT_EQ(tree.processes()[1].command_line, "");
}

TEST(ProcessTreeTest, TreeThatForksAllTheTimeIsReadAllTheSame) {
  const TestProcess root([] {
    if (ForkDying() != 0) return;
    for (;;) {
      const pid_t child = ::fork();
      if (child == 0) ::_exit(0);
      ::waitpid(child, nullptr, 0);
    }
  });
  for (int i = 0; i < 200; ++i) {
    const auto tree = ReadProcessTree(root.pid());
    ASSERT_TRUE(tree.ok()) << tree.error().message;
    EXPECT_GE(tree.value().processes().size(), 2U);
  }
}

TEST(ProcessTreeTest, MissingProcessIsNotFound) {
  TestProcess root;
  const pid_t pid = root.pid();
  ASSERT_OK_AND_ASSIGN(const proc::ProcDir directory, proc::ProcDir::Open(pid));
  root.Stop();
  EXPECT_THAT(ReadProcessTree(pid), FailsWith(Code::kNotFound));
  EXPECT_THAT(ReadProcess(pid), FailsWith(Code::kNotFound));
  EXPECT_THAT(proc::ReadStat(directory), FailsWith(Code::kNotFound));
  EXPECT_THAT(proc::ReadStatus(directory), FailsWith(Code::kNotFound));
  EXPECT_THAT(proc::ReadNamespace(directory, "net"), FailsWith(Code::kNotFound));
  EXPECT_THAT(proc::ReadFdInfo(directory, 0), FailsWith(Code::kNotFound));
}

TEST(ProcessTreeTest, AncestorsLeadToInit) {
  const TestProcess root;
  const std::vector<pid_t> ancestors = ReadAncestors(root.pid());
  ASSERT_GE(ancestors.size(), 2U);
  EXPECT_EQ(ancestors.front(), ::getpid());
  EXPECT_EQ(ancestors.back(), 1);
}

}  // namespace
}  // namespace crd
