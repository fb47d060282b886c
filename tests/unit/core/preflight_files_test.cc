#include <cstring>
#include <fstream>

#include <fcntl.h>
#include <linux/io_uring.h>
#include <pty.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/shm.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "daemon/core/preflight.h"
#include "tests/support/temp_dir.h"
#include "tests/unit/core/preflight_fixture.h"

namespace crd {
namespace {

using ::crd::testing::ForkDying;
using ::crd::testing::Inspect;
using ::crd::testing::Messages;
using ::crd::testing::Must;
using ::crd::testing::Reasons;
using ::crd::testing::SleepForEver;
using ::crd::testing::TempDir;
using ::crd::testing::TestProcess;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

int OpenIoUring() {
  io_uring_params params{};
  return static_cast<int>(::syscall(SYS_io_uring_setup, 4, &params));
}

bool HasIoUring() {
  const UniqueFd ring(OpenIoUring());
  return ring.valid();
}

class PreflightFilesTest : public ::testing::Test {
 protected:
  int Create(const std::string& name, std::size_t size = 0) const {
    const int fd = ::open((dir_ / name).c_str(), O_RDWR | O_CREAT, 0600);
    const std::string content(size, 'x');
    Must(fd >= 0 && ::write(fd, content.data(), size) == static_cast<ssize_t>(size));
    return fd;
  }
  TempDir dir_;
};

TEST_F(PreflightFilesTest, OrdinaryObjectsAreNoObstacles) {
  const TestProcess process([&] {
    Create("file", 100);
    const int event = ::eventfd(0, 0);
    const int epoll = ::epoll_create1(0);
    epoll_event watch{};
    Must(::epoll_ctl(epoll, EPOLL_CTL_ADD, event, &watch) == 0);
    Must(::inotify_add_watch(::inotify_init(), dir_.path().c_str(), IN_CREATE) >= 0);
    Must(::mkfifo((dir_ / "fifo").c_str(), 0600) == 0);
    Must(::open((dir_ / "fifo").c_str(), O_RDWR) >= 0);
    Must(::memfd_create("memory", 0) >= 0);
    for (const char* path : {"/dev/zero", "/dev/urandom", "/proc/self/maps", "/proc/1/stat"}) {
      Must(::open(path, O_RDONLY) >= 0);
    }
    Must(::open("/proc/self/ns/net", O_RDONLY) >= 0);
    Must(::mmap(nullptr, 4096, PROT_READ, MAP_SHARED | MAP_ANONYMOUS, -1, 0) != MAP_FAILED);
  });
  ASSERT_NE(process.pid(), 0);
  EXPECT_THAT(Messages(process.pid()), IsEmpty());
}

TEST_F(PreflightFilesTest, IoUringIsNamedOnceByDescriptorOrMapping) {
  if (!HasIoUring()) GTEST_SKIP() << "this kernel has io_uring turned off";
  for (const bool keep : {true, false}) {
    const TestProcess process([&] {
      const int ring = OpenIoUring();
      Must(::mmap(nullptr, 4096, PROT_READ, MAP_SHARED, ring, IORING_OFF_SQ_RING) != MAP_FAILED);
      if (!keep) ::close(ring);
    });
    EXPECT_THAT(Reasons(process.pid()), ElementsAre("IO_URING"));
    EXPECT_THAT(Messages(process.pid()), HasSubstr(fmt::format("(pid {})", process.pid())));
  }
}

TEST_F(PreflightFilesTest, DevicesAreNamed) {
  const TestProcess process([] { Must(::open("/dev/net/tun", O_RDWR) >= 0); });
  if (process.pid() != 0) {
    EXPECT_THAT(Reasons(process.pid()), ElementsAre("TUN_OPEN"));
  }
  const TestProcess loop([] { Must(::open("/dev/loop-control", O_RDWR) >= 0); });
  if (loop.pid() != 0) {
    EXPECT_THAT(Reasons(loop.pid()), ElementsAre("DEVICE_OPEN"));
    EXPECT_THAT(Messages(loop.pid()), HasSubstr("/dev/loop-control (10:237)"));
  }
}

TEST_F(PreflightFilesTest, DeletedFileMustFitTheGhostLimit) {
  const TestProcess process([&] {
    Create("big", 3U << 20U);
    Create("small", 1000);
    Must(::unlink((dir_ / "big").c_str()) == 0 && ::unlink((dir_ / "small").c_str()) == 0);
    if (ForkDying() == 0) SleepForEver();
  });
  EXPECT_THAT(Reasons(process.pid()), ElementsAre("GHOST_TOO_LARGE"));
  EXPECT_THAT(Messages(process.pid()), HasSubstr("3145728"));
  EXPECT_THAT(Reasons(process.pid(), {.ghost_limit = 4U << 20U}), IsEmpty());
  EXPECT_THAT(Reasons(process.pid(), {.ghost_limit = 100}),
              ElementsAre("GHOST_TOO_LARGE", "GHOST_TOO_LARGE"));
}

TEST_F(PreflightFilesTest, DeletedFileThatIsOnlyMappedCountsToo) {
  const TestProcess process([&] {
    const int fd = Create("library", 2U << 20U);
    Must(::mmap(nullptr, 4096, PROT_READ, MAP_PRIVATE, fd, 0) != MAP_FAILED);
    ::close(fd);
    Must(::unlink((dir_ / "library").c_str()) == 0);
  });
  EXPECT_THAT(Reasons(process.pid()), ElementsAre("GHOST_TOO_LARGE"));
  EXPECT_THAT(Messages(process.pid()), HasSubstr("mapping"));
}

TEST_F(PreflightFilesTest, DeletedNameOfALinkedFileNeedsLinkRemap) {
  const TestProcess process([&] {
    Create("one");
    Must(::link((dir_ / "one").c_str(), (dir_ / "two").c_str()) == 0);
    Must(::unlink((dir_ / "one").c_str()) == 0);
  });
  EXPECT_THAT(Reasons(process.pid()), ElementsAre("NEEDS_LINK_REMAP"));
  EXPECT_THAT(Reasons(process.pid(), {.link_remap = true}), IsEmpty());
}

TEST_F(PreflightFilesTest, FileOnAMountThatIsNotVisible) {
  const TestProcess process([&] {
    constexpr unsigned kClone = 1;  // OPEN_TREE_CLONE
    Must(::syscall(SYS_open_tree, AT_FDCWD, dir_.path().c_str(), kClone) >= 0);
  });
  EXPECT_THAT(Reasons(process.pid()), ElementsAre("FOREIGN_MOUNT"));
}

TEST_F(PreflightFilesTest, LocksNeedFileLocks) {
  const TestProcess process([&] {
    Create("free");
    Must(::flock(Create("locked"), LOCK_EX) == 0);
    if (ForkDying() == 0) SleepForEver();
  });
  EXPECT_THAT(Reasons(process.pid()), ElementsAre("NEEDS_FILE_LOCKS"));
  EXPECT_THAT(Messages(process.pid()), HasSubstr(dir_ / "locked"));
  EXPECT_THAT(Reasons(process.pid(), {.file_locks = true}), IsEmpty());
}

TEST_F(PreflightFilesTest, LocksOfOthersOnTheSameFileAreNoObstacle) {
  const UniqueFd mine(Create("file"));
  ASSERT_EQ(::flock(mine.get(), LOCK_EX), 0);
  const TestProcess process([&] { Create("file"); });
  EXPECT_THAT(Reasons(process.pid()), IsEmpty());
}

TEST_F(PreflightFilesTest, WatchesOnProcCannotBeFoundAgain) {
  const TestProcess process(
      [] { Must(::inotify_add_watch(::inotify_init(), "/proc/self/mounts", IN_MODIFY) >= 0); });
  EXPECT_THAT(Reasons(process.pid()), ElementsAre("UNWATCHABLE_PATH"));
}

TEST_F(PreflightFilesTest, EpollMayWatchADuplicateButNotWhatOnlyAnotherProcessHas) {
  for (const bool duplicate : {true, false}) {
    const TestProcess process([&] {
      const int epoll = ::epoll_create1(0);
      int ends[2];
      Must(::pipe(ends) == 0);
      epoll_event watch{};
      Must(::epoll_ctl(epoll, EPOLL_CTL_ADD, ends[0], &watch) == 0);
      if (duplicate) {
        Must(::dup(ends[0]) >= 0);
      } else if (ForkDying() == 0) {
        ::close(epoll);
        SleepForEver();
      }
      ::close(ends[0]);
    });
    if (duplicate) {
      EXPECT_THAT(Messages(process.pid()), IsEmpty());
    } else {
      EXPECT_THAT(Reasons(process.pid()), ElementsAre("EPOLL_ESCAPED"));
    }
  }
}

TEST_F(PreflightFilesTest, PidfdsMayLeadOnlyIntoTheTree) {
  const TestProcess process([] {
    const pid_t child = ForkDying();
    if (child == 0) SleepForEver();
    Must(::syscall(SYS_pidfd_open, child, 0) >= 0 && ::syscall(SYS_pidfd_open, 1, 0) >= 0);
  });
  EXPECT_THAT(Reasons(process.pid()), ElementsAre("PIDFD_OUTSIDE"));
  EXPECT_THAT(Messages(process.pid()), HasSubstr("process 1,"));
}

TEST_F(PreflightFilesTest, PacketPipesAndStrangeObjectsAreNamed) {
  const TestProcess packets([] {
    int ends[2];
    Must(::pipe2(ends, O_DIRECT) == 0);
  });
  EXPECT_THAT(Reasons(packets.pid()), ElementsAre("UNSUPPORTED_OBJECT"));
  const TestProcess context([] { Must(::syscall(SYS_fsopen, "tmpfs", 0) >= 0); });
  EXPECT_THAT(Messages(context.pid()), HasSubstr("anon_inode:[fscontext]"));
}

TEST_F(PreflightFilesTest, SysvMemoryOfTheHostIsInTheWay) {
  for (const bool own_namespace : {false, true}) {
    const TestProcess process([&] {
      if (own_namespace) Must(::unshare(CLONE_NEWIPC) == 0);
      const int id = ::shmget(IPC_PRIVATE, 4096, 0600);
      void* memory = ::shmat(id, nullptr, 0);
      ::shmctl(id, IPC_RMID, nullptr);
      Must(memory != MAP_FAILED);
    });
    if (own_namespace) {
      EXPECT_THAT(Messages(process.pid()), IsEmpty());
    } else {
      EXPECT_THAT(Reasons(process.pid()), ElementsAre("SYSV_MEMORY"));
    }
  }
}

// --- pipes and terminals ---

struct Pipe {
  Pipe() {
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0) std::abort();
    reader.reset(ends[0]);
    writer.reset(ends[1]);
  }
  UniqueFd reader;
  UniqueFd writer;
};

TEST_F(PreflightFilesTest, PipesOnStandardStreamsAreLinks) {
  const Pipe in;
  const Pipe out;
  TestProcess::Options options;
  options.stdin_fd = in.reader.get();
  options.stdout_fd = out.writer.get();
  const TestProcess process(options, [] { Must(::dup2(1, 7) == 7); });
  ASSERT_OK_AND_ASSIGN(const Preflight preflight, Inspect(process.pid()));
  EXPECT_THAT(Messages(process.pid()), IsEmpty());
  ASSERT_EQ(preflight.stdio.size(), 2U);
  EXPECT_EQ(preflight.stdio[0].kind, StdioLink::Kind::kPipe);
  EXPECT_EQ(preflight.stdio[0].fd, 0);
  EXPECT_TRUE(preflight.stdio[0].readable && !preflight.stdio[0].writable);
  EXPECT_EQ(preflight.stdio[1].fd, 1);
  EXPECT_EQ(preflight.stdio[1].pid, process.pid());
  EXPECT_TRUE(!preflight.stdio[1].readable && preflight.stdio[1].writable);
  struct stat status {};
  ASSERT_EQ(::fstat(out.writer.get(), &status), 0);
  EXPECT_EQ(preflight.stdio[1].key, fmt::format("pipe:[{}]", status.st_ino));
}

TEST_F(PreflightFilesTest, OtherPipesToTheOutsideAreNamedWithTheirHolder) {
  Pipe pipe;
  TestProcess::Options options;
  options.keep = {pipe.writer.get()};
  const TestProcess process(options);
  pipe.writer.reset();
  EXPECT_THAT(Reasons(process.pid()), ElementsAre("PIPE_OUTSIDE"));
  EXPECT_THAT(Messages(process.pid()), HasSubstr(fmt::format("(pid {})", ::getpid())));
  pipe.reader.reset();
  EXPECT_THAT(Messages(process.pid()), IsEmpty()) << "nobody has the other end any more";
}

TEST_F(PreflightFilesTest, PipesWithinTheTreeAreNoLinks) {
  const TestProcess process([] {
    int ends[2];
    Must(::pipe(ends) == 0);
    if (ForkDying() == 0) {
      Must(::dup2(ends[1], 1) == 1);
      ::close(ends[0]);
      ::close(ends[1]);
      SleepForEver();
    }
  });
  ASSERT_OK_AND_ASSIGN(const Preflight preflight, Inspect(process.pid()));
  EXPECT_THAT(preflight.stdio, IsEmpty());
  EXPECT_THAT(Messages(process.pid()), IsEmpty());
}

TEST_F(PreflightFilesTest, TerminalDrivenFromOutsideNeedsShellJob) {
  int master = -1;
  int slave = -1;
  ASSERT_EQ(::openpty(&master, &slave, nullptr, nullptr, nullptr), 0);
  const UniqueFd master_owner(master);
  const UniqueFd slave_owner(slave);
  TestProcess::Options options;
  options.stdin_fd = slave;
  options.stdout_fd = slave;
  const TestProcess process(options, [] { Must(::ioctl(0, TIOCSCTTY, 0) == 0); });
  EXPECT_THAT(Reasons(process.pid()), ElementsAre("NEEDS_SHELL_JOB"));
  ASSERT_OK_AND_ASSIGN(const Preflight preflight, Inspect(process.pid(), {.shell_job = true}));
  EXPECT_THAT(preflight.obstacles, IsEmpty());
  ASSERT_EQ(preflight.stdio.size(), 1U);
  EXPECT_EQ(preflight.stdio[0].kind, StdioLink::Kind::kTerminal);
  EXPECT_EQ(preflight.stdio[0].fd, 0);
  struct stat status {};
  ASSERT_EQ(::fstat(slave, &status), 0);
  EXPECT_EQ(preflight.stdio[0].key, fmt::format("tty[{:x}:{:x}]", status.st_rdev, status.st_dev));
  EXPECT_THAT(preflight.external, ElementsAre(preflight.stdio[0].key));
}

TEST_F(PreflightFilesTest, TerminalDrivenFromWithinIsFine) {
  const TestProcess process([] {
    int master = -1;
    int slave = -1;
    Must(::openpty(&master, &slave, nullptr, nullptr, nullptr) == 0);
  });
  EXPECT_THAT(Messages(process.pid()), IsEmpty());
}

}  // namespace
}  // namespace crd
