#include "daemon/runtime/layer.h"

#include <set>

#include <sys/sysmacros.h>
#include <sys/xattr.h>

#include "daemon/runtime/libarchive.h"
#include "tests/unit/runtime/layer_fixture.h"

namespace crd::runtime {
namespace {

namespace fs = std::filesystem;
using How = RootfsChange::How;
using testing::FailsWith;
using testing::IsOk;

class LayerTest : public LayerFixture {
 protected:
  LayerTest() {
    MakeDirectories(from_);
    MakeDirectories(to_);
  }

  struct Item {
    std::string name;
    mode_t type = AE_IFREG;
    std::string target;  // of a link, hard if the type is that of a file
  };
  // What nobody would write who means well.
  void WriteHostile(const std::vector<Item>& items) {
    const Archive out(::archive_write_new());
    ::archive_write_set_format_pax(out.get());
    ::archive_write_add_filter_zstd(out.get());
    ASSERT_EQ(::archive_write_open_filename(out.get(), layer_.c_str()), ARCHIVE_OK);
    for (const Item& item : items) {
      const Entry entry(::archive_entry_new());
      ::archive_entry_set_pathname(entry.get(), item.name.c_str());
      ::archive_entry_set_filetype(entry.get(), item.type);
      ::archive_entry_set_perm(entry.get(), 0755);
      ::archive_entry_set_size(entry.get(), 0);
      if (item.type == AE_IFLNK) ::archive_entry_set_symlink(entry.get(), item.target.c_str());
      if (item.type == AE_IFREG && !item.target.empty())
        ::archive_entry_set_hardlink(entry.get(), item.target.c_str());
      ASSERT_EQ(::archive_write_header(out.get(), entry.get()), ARCHIVE_OK);
    }
    ASSERT_EQ(::archive_write_close(out.get()), ARCHIVE_OK);
  }
  void WriteRaw(const std::string& path, std::size_t size, char filler) {
    std::ofstream(path) << std::string(size, filler);
  }

  const std::string from_ = place_ / "from";
  const std::string to_ = place_ / "to";
};

TEST_F(LayerTest, KeepsWhatFilesAre) {
  MakeDirectories(from_ + "/dir/deep");
  Write(from_ + "/dir/file", "content");
  fs::create_hard_link(from_ + "/dir/file", from_ + "/same");
  fs::create_symlink("/nowhere", from_ + "/link");
  Write(from_ + "/n\xc3\xa4me \xff", "bytes");
  ASSERT_EQ(::mkfifo((from_ + "/fifo").c_str(), 0620), 0);
  ASSERT_EQ(::mknod((from_ + "/null").c_str(), S_IFCHR | 0666, makedev(1, 3)), 0);
  ASSERT_EQ(::lchown((from_ + "/link").c_str(), 7, 8), 0);
  ASSERT_EQ(::chown((from_ + "/dir").c_str(), 1234, 5678), 0);
  ASSERT_EQ(::chmod((from_ + "/dir").c_str(), 01770), 0);
  ASSERT_EQ(::chmod((from_ + "/same").c_str(), 04755), 0);
  // cap_net_raw+ep, as setcap writes it.
  const unsigned char capability[20] = {1, 0, 0, 2, 0, 0x20};
  ASSERT_EQ(::setxattr((from_ + "/same").c_str(), "security.capability", capability, 20, 0), 0);
  ASSERT_EQ(::setxattr((from_ + "/dir").c_str(), "user.crd", "x", 1, 0), 0);
  ASSERT_EQ(::lsetxattr((from_ + "/fifo").c_str(), "trusted.crd", "y", 1, 0), 0);
  const unsigned char access[] = {2, 0, 0,   0,   1,   0,   7,  0, 255, 255, 255, 255, 2,   0,  4,
                                  0, 9, 0,   0,   0,   4,   0,  5, 0,   255, 255, 255, 255, 16, 0,
                                  5, 0, 255, 255, 255, 255, 32, 0, 5,   0,   255, 255, 255, 255};
  ASSERT_EQ(::setxattr((from_ + "/dir/deep").c_str(), "system.posix_acl_access", access,
                       sizeof access, 0),
            0);
  const timespec times[] = {{.tv_sec = 1000, .tv_nsec = 5}, {.tv_sec = 2000, .tv_nsec = 123456789}};
  for (const char* name : {"/same", "/link", "/fifo", "/dir/deep", "/dir", ""}) {
    ASSERT_EQ(::utimensat(AT_FDCWD, (from_ + name).c_str(), times, AT_SYMLINK_NOFOLLOW), 0);
  }
  const RootfsChanges changes = {{"."},    {"dir"},  {"dir/deep"},         {"dir/file"}, {"fifo"},
                                 {"link"}, {"null"}, {"n\xc3\xa4me \xff"}, {"same"}};
  ASSERT_THAT(Save(from_, changes), IsOk());
  ASSERT_THAT(LayDownIn(to_), IsOk());
  EXPECT_THAT(Differences(to_, from_), ::testing::IsEmpty());
  // And again, over what is there.
  ASSERT_THAT(LayDownIn(to_), IsOk());
  EXPECT_THAT(Differences(to_, from_), ::testing::IsEmpty());
}

TEST_F(LayerTest, KeepsHoles) {
  const UniqueFd file(::open((from_ + "/sparse").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  constexpr off_t kSize = off_t{4} << 40;
  ASSERT_EQ(::pwrite(file.get(), "middle", 6, 5 << 20), 6);
  ASSERT_EQ(::ftruncate(file.get(), kSize), 0);
  WriteRaw(from_ + "/empty-end", 70000, 'x');
  fs::resize_file(from_ + "/empty-end", 1 << 20);
  Write(from_ + "/hollow", "");
  fs::resize_file(from_ + "/hollow", 1 << 20);
  ASSERT_THAT(Save(from_, {{"."}, {"empty-end"}, {"hollow"}, {"sparse"}}), IsOk());
  EXPECT_LT(fs::file_size(layer_), 100000U);
  ASSERT_THAT(LayDownIn(to_), IsOk());
  struct stat status {};
  ASSERT_EQ(::stat((to_ + "/sparse").c_str(), &status), 0);
  EXPECT_EQ(status.st_size, kSize);
  EXPECT_LT(status.st_blocks, 1024);
  const UniqueFd copy(::open((to_ + "/sparse").c_str(), O_RDONLY | O_CLOEXEC));
  char text[6] = {};
  ASSERT_EQ(::pread(copy.get(), text, 6, 5 << 20), 6);
  EXPECT_EQ(std::string(text, 6), "middle");
  fs::remove(from_ + "/sparse");
  fs::remove(to_ + "/sparse");
  const auto was = testing::TreeText::Of(from_);
  const auto is = testing::TreeText::Of(to_);
  EXPECT_EQ(is.at("empty-end"), was.at("empty-end"));
  EXPECT_EQ(is.at("hollow"), was.at("hollow"));
}

TEST_F(LayerTest, RemovesAndReplaces) {
  for (const std::string& root : {from_, to_}) MakeDirectories(root + "/kept/inner");
  MakeDirectories(to_ + "/gone/deep");
  MakeDirectories(to_ + "/was-dir/full");
  Write(to_ + "/was-file", "x");
  Write(to_ + "/kept/inner/stays", "x");
  MakeDirectories(to_ + "/opaque/old");
  ASSERT_EQ(::setxattr((to_ + "/kept").c_str(), "user.gone", "x", 1, 0), 0);
  Write(from_ + "/was-dir", "now a file");
  MakeDirectories(from_ + "/was-file");
  MakeDirectories(from_ + "/opaque");
  Write(from_ + "/opaque/new", "x");
  const RootfsChanges changes = {{"."},
                                 {"gone", How::kGone},
                                 {"kept"},
                                 {"never-there", How::kGone},
                                 {"opaque", How::kOpaque},
                                 {"opaque/new"},
                                 {"was-dir"},
                                 {"was-file"}};
  ASSERT_THAT(Save(from_, changes), IsOk());
  for (int i = 0; i < 2; ++i) {
    ASSERT_THAT(LayDownIn(to_), IsOk());
    EXPECT_TRUE(fs::exists(to_ + "/kept/inner/stays"));
    auto is = testing::TreeText::Of(to_);
    is.erase("kept/inner/stays");
    is.erase("kept/inner");
    auto was = testing::TreeText::Of(from_);
    was.erase("kept/inner");
    EXPECT_EQ(is, was);
  }
}

TEST_F(LayerTest, RefusesNamesThatStandForSomethingElse) {
  Write(from_ + "/.wh.mine", "x");
  const auto saved = Save(from_, {{"."}, {".wh.mine"}});
  ASSERT_THAT(saved, FailsWith(Code::kFailedPrecondition));
  EXPECT_EQ(saved.error().reason, "ROOTFS_NAME_RESERVED");
}

TEST_F(LayerTest, StaysInTheRoot) {
  const std::string outside = place_ / "outside";
  const std::string victim = place_ / "victim";
  Write(victim, "safe");
  const std::vector<std::vector<Item>> layers = {
      {{"../outside"}},
      {{"a/../../outside"}},
      {{outside}},
      {{"link", AE_IFLNK, ".."}, {"link/outside"}},
      {{"link", AE_IFLNK, place_.path()}, {"link/outside"}},
      {{"link", AE_IFLNK, place_.path()}, {"link/.wh.victim"}},
      {{"link", AE_IFLNK, place_.path()}, {"link/.wh..wh..opq"}},
      {{".wh..."}},
      {{".wh.."}},
      {{"../.wh.victim"}},
      {{"stolen", AE_IFREG, "../victim"}},
      {{"stolen", AE_IFREG, victim}},
      {{"link", AE_IFLNK, place_.path()}, {"stolen", AE_IFREG, "link/victim"}},
      {{".", AE_IFLNK, place_.path()}},
  };
  for (const auto& layer : layers) {
    WriteHostile(layer);
    EXPECT_THAT(LayDownIn(to_), FailsWith(Code::kDataLoss)) << layer.back().name;
    EXPECT_FALSE(fs::exists(outside)) << layer.back().name;
    EXPECT_FALSE(fs::exists(to_ + "/stolen")) << layer.back().name;
    EXPECT_TRUE(fs::exists(victim)) << layer.back().name;
    EXPECT_EQ(fs::hard_link_count(victim), 1U);
  }
  // A link that is already there, and leads out, is replaced and not followed.
  fs::remove(to_ + "/link");
  fs::create_symlink(victim, to_ + "/link");
  WriteHostile({{"link"}});
  EXPECT_THAT(LayDownIn(to_), IsOk());
  EXPECT_TRUE(fs::is_regular_file(fs::symlink_status(to_ + "/link")));
  EXPECT_EQ(fs::file_size(victim), 4U);
}

TEST_F(LayerTest, DoesNotTouchWhatIsMountedInTheRoot) {
  MakeDirectories(to_ + "/mounted");
  Write(to_ + "/mounted/below", "x");
  ASSERT_EQ(::mount("crd-test", (to_ + "/mounted").c_str(), "tmpfs", 0, nullptr), 0);
  Write(to_ + "/mounted/above", "x");
  WriteHostile({{"mounted", AE_IFDIR}, {"mounted/.wh..wh..opq"}, {"mounted/new"}});
  const auto laid = LayDownIn(to_);
  EXPECT_TRUE(fs::exists(to_ + "/mounted/above"));
  EXPECT_FALSE(fs::exists(to_ + "/mounted/new"));
  ASSERT_EQ(::umount(((to_ + "/mounted").c_str())), 0);
  EXPECT_THAT(laid, IsOk());
  EXPECT_TRUE(fs::exists(to_ + "/mounted/new"));
  EXPECT_FALSE(fs::exists(to_ + "/mounted/below"));
}

TEST_F(LayerTest, StopsWhenAsked) {
  Write(from_ + "/file", "x");
  const UniqueFd from = *OpenDirectory(from_);
  const UniqueFd file(::open(layer_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  const auto stop = [] { return Result<void>(Error{.code = Code::kCancelled}); };
  EXPECT_THAT(WriteLayer(from.ref(), {{"file"}}, file.ref(), stop), FailsWith(Code::kCancelled));
  ASSERT_THAT(Save(from_, {{"file"}}), IsOk());
  const UniqueFd to = *OpenDirectory(to_);
  const UniqueFd saved(::open(layer_.c_str(), O_RDONLY | O_CLOEXEC));
  EXPECT_THAT(LayDown(saved.ref(), to.ref(), stop), FailsWith(Code::kCancelled));
  EXPECT_FALSE(fs::exists(to_ + "/file"));
}

}  // namespace
}  // namespace crd::runtime
