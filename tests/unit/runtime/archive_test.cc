#include "daemon/runtime/archive.h"

#include <filesystem>
#include <fstream>

#include <archive.h>
#include <archive_entry.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "daemon/base/files.h"
#include "tests/support/result_matchers.h"
#include "tests/support/temp_dir.h"

namespace crd::runtime {
namespace {

namespace fs = std::filesystem;
using testing::FailsWith;
using testing::IsOk;

class ArchiveTest : public ::testing::Test {
 protected:
  ArchiveTest() {
    fs::create_directory(from_);
    fs::create_directory(to_);
  }

  Result<void> RoundTrip() {
    const UniqueFd tree = TRY(OpenDirectory(from_));
    const UniqueFd file(::open((place_ / "archive").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
    TRY(WriteArchive(tree.ref(), file.ref()));
    return Extract();
  }
  Result<void> Extract() {
    const UniqueFd file(::open((place_ / "archive").c_str(), O_RDONLY | O_CLOEXEC));
    const UniqueFd into = TRY(OpenDirectory(to_));
    return ExtractArchive(file.ref(), into.ref());
  }
  // An archive of one file, and a symbolic link before it if there is a `target`.
  void WriteHostile(const std::string& name, const std::string& link, const std::string& target) {
    archive* out = ::archive_write_new();
    ::archive_write_set_format_pax(out);
    ::archive_write_open_filename(out, (place_ / "archive").c_str());
    archive_entry* entry = ::archive_entry_new();
    if (!target.empty()) {
      ::archive_entry_set_pathname(entry, link.c_str());
      ::archive_entry_set_filetype(entry, AE_IFLNK);
      ::archive_entry_set_symlink(entry, target.c_str());
      ::archive_write_header(out, entry);
      ::archive_entry_clear(entry);
    }
    ::archive_entry_set_pathname(entry, name.c_str());
    ::archive_entry_set_filetype(entry, AE_IFREG);
    ::archive_entry_set_perm(entry, 0644);
    ::archive_entry_set_size(entry, 0);
    ::archive_write_header(out, entry);
    ::archive_entry_free(entry);
    ::archive_write_close(out);
    ::archive_write_free(out);
  }
  struct stat StatOf(const std::string& path) {
    struct stat status {};
    EXPECT_EQ(::lstat(path.c_str(), &status), 0) << path;
    return status;
  }

  testing::TempDir place_;
  const std::string from_ = place_ / "from";
  const std::string to_ = place_ / "to";
};

TEST_F(ArchiveTest, KeepsWhatFilesAre) {
  std::ofstream(from_ + "/file") << "content";
  fs::create_hard_link(from_ + "/file", from_ + "/same");
  fs::create_symlink("/nowhere/at all", from_ + "/link");
  fs::create_directory(from_ + "/dir");
  ASSERT_EQ(::chmod((from_ + "/dir").c_str(), 01777), 0);
  ASSERT_EQ(::chown((from_ + "/dir").c_str(), 1234, 5678), 0);
  ASSERT_EQ(::chmod((from_ + "/file").c_str(), 04751), 0);
  ASSERT_EQ(::mkfifo((from_ + "/dir/fifo").c_str(), 0600), 0);
  ASSERT_EQ(::chmod((from_ + "/dir/fifo").c_str(), 0620), 0);
  ASSERT_EQ(::mknod((from_ + "/null").c_str(), S_IFCHR | 0666, makedev(1, 3)), 0);
  ASSERT_EQ(::setxattr((from_ + "/file").c_str(), "user.crd", "x", 1, 0), 0);
  const timespec times[] = {{.tv_sec = 1000, .tv_nsec = 5}, {.tv_sec = 2000, .tv_nsec = 123456789}};
  ASSERT_EQ(::utimensat(AT_FDCWD, (from_ + "/same").c_str(), times, 0), 0);
  ASSERT_THAT(RoundTrip(), IsOk());

  const auto file = StatOf(to_ + "/file");
  EXPECT_EQ(file.st_mode, S_IFREG | 04751U);
  EXPECT_EQ(file.st_nlink, 2U);
  EXPECT_EQ(file.st_ino, StatOf(to_ + "/same").st_ino);
  EXPECT_EQ(file.st_mtim.tv_nsec, 123456789);
  EXPECT_EQ(file.st_size, 7);
  char value = 0;
  EXPECT_EQ(::getxattr((to_ + "/file").c_str(), "user.crd", &value, 1), 1);
  EXPECT_EQ(value, 'x');
  EXPECT_EQ(fs::read_symlink(to_ + "/link"), "/nowhere/at all");
  EXPECT_EQ(StatOf(to_ + "/dir").st_mode, S_IFDIR | 01777U);
  EXPECT_EQ(StatOf(to_ + "/dir").st_uid, 1234U);
  EXPECT_EQ(StatOf(to_ + "/dir").st_gid, 5678U);
  EXPECT_EQ(StatOf(to_ + "/dir/fifo").st_mode, S_IFIFO | 0620U);
  EXPECT_EQ(StatOf(to_ + "/null").st_rdev, makedev(1, 3));
}

TEST_F(ArchiveTest, KeepsHoles) {
  const UniqueFd file(::open((from_ + "/sparse").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  ASSERT_EQ(::pwrite(file.get(), "end", 3, 8 << 20), 3);
  ASSERT_THAT(RoundTrip(), IsOk());
  const auto copy = StatOf(to_ + "/sparse");
  EXPECT_EQ(copy.st_size, (8 << 20) + 3);
  EXPECT_LT(copy.st_blocks, 1024);
  std::ifstream content(to_ + "/sparse", std::ios::binary);
  content.seekg(8 << 20);
  std::string end;
  content >> end;
  EXPECT_EQ(end, "end");
}

TEST_F(ArchiveTest, RefusesToWriteElsewhere) {
  const std::string outside = place_ / "outside";
  WriteHostile("../outside", "", "");
  EXPECT_THAT(Extract(), FailsWith(Code::kDataLoss));
  WriteHostile(outside, "", "");
  EXPECT_THAT(Extract(), FailsWith(Code::kDataLoss));
  // A directory takes the link's place.
  WriteHostile("link/outside", "link", "..");
  EXPECT_THAT(Extract(), IsOk());
  EXPECT_TRUE(fs::exists(to_ + "/link/outside"));
  EXPECT_FALSE(fs::exists(outside));
}

TEST_F(ArchiveTest, RefusesWhatIsNone) {
  std::ofstream(place_ / "archive") << std::string(4096, 'x');
  EXPECT_THAT(Extract(), FailsWith(Code::kDataLoss));
}

}  // namespace
}  // namespace crd::runtime
