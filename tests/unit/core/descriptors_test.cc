#include "daemon/core/descriptors.h"

#include <fstream>

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/support/result_matchers.h"
#include "tests/support/temp_dir.h"
#include "tests/support/test_process.h"

namespace crd {
namespace {

using ::crd::testing::FailsWith;
using ::crd::testing::Must;
using ::crd::testing::TempDir;
using ::crd::testing::TestProcess;
using Kind = Descriptor::Kind;

TEST(DescriptorsTest, LinksTellWhatADescriptorIs) {
  struct Case {
    const char* link;
    Kind kind;
    ino_t inode;
  };
  const Case cases[] = {
      {"/var/log/x", Kind::kPath, 0},
      {"/tmp/pipe:[5]", Kind::kPath, 0},
      {"pipe:[4242]", Kind::kPipe, 4242},
      {"socket:[17]", Kind::kSocket, 17},
      {"net:[4026531840]", Kind::kNamespace, 4026531840},
      {"anon_inode:[eventpoll]", Kind::kAnonymous, 0},
      {"anon_inode:inotify", Kind::kAnonymous, 0},
      {"pipe:[x]", Kind::kOther, 0},
      {"pipe:[5", Kind::kOther, 0},
      {"", Kind::kOther, 0},
  };
  for (const Case& test : cases) {
    const Descriptor parsed = ParseDescriptorLink(test.link);
    EXPECT_EQ(parsed.kind, test.kind) << test.link;
    EXPECT_EQ(parsed.inode, test.inode) << test.link;
    EXPECT_EQ(parsed.link, test.link);
  }
}

TEST(DescriptorsTest, AccessModeIsKnownWithoutOpening) {
  const TestProcess process([] {
    int ends[2];
    Must(::pipe(ends) == 0);
    Must(::dup2(ends[0], 10) == 10 && ::dup2(ends[1], 11) == 11);
    Must(::dup2(::open("/dev/null", O_RDWR), 12) == 12);
  });
  ASSERT_OK_AND_ASSIGN(const proc::ProcDir directory, proc::ProcDir::Open(process.pid()));
  ASSERT_OK_AND_ASSIGN(const std::vector<Descriptor> all, ReadDescriptors(directory));
  const auto find = [&](int fd) {
    for (const Descriptor& descriptor : all) {
      if (descriptor.fd == fd) return descriptor;
    }
    return Descriptor{};
  };
  EXPECT_TRUE(find(10).readable);
  EXPECT_FALSE(find(10).writable);
  EXPECT_FALSE(find(11).readable);
  EXPECT_TRUE(find(11).writable);
  EXPECT_TRUE(find(12).readable && find(12).writable);
  EXPECT_EQ(find(10).kind, Kind::kPipe);
  EXPECT_EQ(find(10).inode, find(11).inode);
  EXPECT_EQ(find(12).pid, process.pid());
  EXPECT_TRUE(find(0).standard_stream());
  EXPECT_FALSE(find(10).standard_stream());
}

TEST(DescriptorsTest, StatusIsOfTheFileThatIsOpenNotOfItsName) {
  const TempDir dir;
  std::ofstream(dir / "file") << "old";
  const TestProcess process([&] {
    Must(::open((dir / "file").c_str(), O_RDONLY) >= 0);
    Must(::dup2(::open((dir / "file").c_str(), O_RDONLY), 9) == 9);
  });
  ASSERT_OK_AND_ASSIGN(const proc::ProcDir directory, proc::ProcDir::Open(process.pid()));
  ASSERT_OK_AND_ASSIGN(const FileStatus before, LookUp(dir / "file", false));
  ASSERT_OK_AND_ASSIGN(const FileStatus open, ReadFileStatus(directory, "fd/9"));
  EXPECT_TRUE(open.SameFile(before));
  EXPECT_EQ(open.mount, before.mount);
  ASSERT_EQ(::unlink((dir / "file").c_str()), 0);
  ASSERT_OK_AND_ASSIGN(const FileStatus deleted, ReadFileStatus(directory, "fd/9"));
  EXPECT_EQ(deleted.links, 0U);
  EXPECT_THAT(LookUp(dir / "file", false), FailsWith(Code::kNotFound));
}

TEST(DescriptorsTest, HoldersOutsideAreFoundWithTheirEnds) {
  int ends[2];
  ASSERT_EQ(::pipe2(ends, O_CLOEXEC), 0);
  const UniqueFd reader(ends[0]);
  UniqueFd writer(ends[1]);
  struct stat status {};
  ASSERT_EQ(::fstat(reader.get(), &status), 0);
  TestProcess::Options options;
  options.stdout_fd = writer.get();
  const TestProcess process(options);
  writer.reset();
  ASSERT_OK_AND_ASSIGN(const ProcessTree tree, ReadProcessTree(process.pid()));
  const std::vector<OutsideHolder> holders = FindHolders(tree, {status.st_ino}, {});
  ASSERT_EQ(holders.size(), 1U);
  EXPECT_EQ(holders[0].pid, ::getpid());
  EXPECT_TRUE(holders[0].readable);
  EXPECT_FALSE(holders[0].writable);
  EXPECT_TRUE(FindHolders(tree, {}, {status.st_ino}).empty()) << "a pipe is no socket";
  EXPECT_TRUE(FindHolders(tree, {}, {}).empty());
}

TEST(DescriptorsTest, ProcessThatEndedIsNotFound) {
  TestProcess process;
  ASSERT_OK_AND_ASSIGN(const proc::ProcDir directory, proc::ProcDir::Open(process.pid()));
  process.Stop();
  EXPECT_THAT(ReadDescriptors(directory), FailsWith(Code::kNotFound));
}

}  // namespace
}  // namespace crd
