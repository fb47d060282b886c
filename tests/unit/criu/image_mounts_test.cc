#include <fstream>

#include <daemon/criu/criu_images.pb.h>

#include "daemon/base/files.h"
#include "daemon/criu/images.h"
#include "daemon/criu/record_file.h"
#include "tests/support/result_matchers.h"
#include "tests/support/temp_dir.h"

namespace crd::criu {
namespace {

using testing::FailsWith;
using testing::IsOk;

const std::vector<std::uint32_t> kMagics = {0x54564319, 0x55563928};

std::string Mount(std::uint32_t device, const std::string& mountpoint, const std::string& key) {
  criu_images::mnt_entry entry;
  entry.set_root_dev(device);
  entry.set_mountpoint(mountpoint);
  if (!key.empty()) entry.set_ext_key(key);
  // A field that crd does not know.
  return entry.SerializeAsString() + std::string("\x10\x07", 2);
}

class ImageMountsTest : public ::testing::Test {
 protected:
  ImageMountsTest()
      : images_(std::move(*OpenDirectory(place_.path()))),
        changed_(std::move(*OpenDirectory(other_.path()))) {}

  Result<void> Write(const std::vector<std::string>& mounts) {
    return WriteRecords(images_.ref(), "mountpoints-13.img", kMagics, mounts);
  }
  static std::vector<std::string> Read(const UniqueFd& directory) {
    auto records = ReadRecords(directory.ref(), "mountpoints-13.img", kMagics, 10);
    std::vector<std::string> keys;
    for (const std::string& record : records.ok() ? *records : std::vector<std::string>()) {
      criu_images::mnt_entry entry;
      EXPECT_TRUE(entry.ParseFromString(record));
      EXPECT_EQ(record.substr(record.size() - 2), std::string("\x10\x07", 2));
      keys.push_back(entry.mountpoint() + "=" + entry.ext_key());
    }
    return keys;
  }

  testing::TempDir place_;
  testing::TempDir other_;
  UniqueFd images_;
  UniqueFd changed_;
};

TEST_F(ImageMountsTest, TakesTheirKeysAway) {
  ASSERT_THAT(Write({Mount(5, "/dev", "/dev"), Mount(6, "/data", "/data")}), IsOk());
  ASSERT_THAT(MakeMountsInternal(images_.ref(), {{.device = 5, .mountpoint = "/dev"}}), IsOk());
  EXPECT_THAT(Read(images_), ::testing::ElementsAre("/dev=", "/data=/data"));
}

TEST_F(ImageMountsTest, GivesThemKeysElsewhere) {
  ASSERT_THAT(Write({Mount(5, "/dev", ""), Mount(6, "/dev", "")}), IsOk());
  const std::vector<ImageMount> mounts = {{.device = 5, .mountpoint = "/dev"}};
  ASSERT_THAT(MakeMountsExternal(images_.ref(), mounts, changed_.ref()), IsOk());
  EXPECT_THAT(Read(changed_), ::testing::ElementsAre("/dev=/dev", "/dev="));
  EXPECT_THAT(Read(images_), ::testing::ElementsAre("/dev=", "/dev="));
}

TEST_F(ImageMountsTest, MissesNone) {
  ASSERT_THAT(Write({Mount(5, "/dev", "/dev")}), IsOk());
  EXPECT_THAT(MakeMountsInternal(images_.ref(), {{.device = 7, .mountpoint = "/dev"}}),
              FailsWith(Code::kDataLoss));
}

}  // namespace
}  // namespace crd::criu
