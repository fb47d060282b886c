#include "daemon/runtime/mount_table.h"

#include <gtest/gtest.h>

namespace crd::runtime {
namespace {

// As an overlay of Linux 6.18 shows it; the kernel writes commas and blanks in paths as \054, \040.
constexpr const char* kOptions =
    "rw,lowerdir=/l,upperdir=/var/a\\054b\\040c/upper,workdir=/w,index=on,userxattr";

TEST(MountTable, FindsTheOptionsOfAFileSystem) {
  EXPECT_EQ(FindOption(kOptions, "upperdir"), "/var/a,b c/upper");
  EXPECT_EQ(FindOption(kOptions, "index"), "on");
  EXPECT_EQ(FindOption(kOptions, "dir"), "");
  EXPECT_EQ(FindOption(kOptions, "userxattr"), "");
  EXPECT_TRUE(HasOption(kOptions, "userxattr"));
  EXPECT_TRUE(HasOption(kOptions, "rw"));
  EXPECT_FALSE(HasOption(kOptions, "xattr"));
  EXPECT_FALSE(HasOption("", "userxattr"));
}

}  // namespace
}  // namespace crd::runtime
