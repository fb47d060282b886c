#include "daemon/runtime/bundle.h"

#include <string>

#include <gmock/gmock.h>

#include "daemon/base/files.h"
#include "tests/support/result_matchers.h"
#include "tests/support/temp_dir.h"

namespace crd::runtime {
namespace {

using testing::FailsWith;
using ::testing::HasSubstr;
using testing::Refuses;
using testing::TempDir;

TEST(Bundle, ReadsWhatRuncSpecWrites) {
  ASSERT_OK_AND_ASSIGN(const std::string text, ReadFile(DATA_DIRECTORY "/config.json"));
  ASSERT_OK_AND_ASSIGN(const Bundle bundle, ParseBundle("/srv/web", text));
  EXPECT_EQ(bundle.rootfs, "/srv/web/rootfs");
  EXPECT_TRUE(bundle.read_only);
  EXPECT_FALSE(bundle.terminal);
  ASSERT_EQ(bundle.mounts.size(), 8U);
  EXPECT_EQ(bundle.mounts.front().destination, "/proc");
  EXPECT_FALSE(bundle.mounts.front().bind);
  EXPECT_EQ(bundle.mounts.back().destination, "/data");
  EXPECT_EQ(bundle.mounts.back().source, "/srv/data");
  EXPECT_TRUE(bundle.mounts.back().bind);
  ASSERT_NE(bundle.FindNamespace("network"), nullptr);
  EXPECT_EQ(bundle.FindNamespace("network")->path, "");
  EXPECT_EQ(bundle.FindNamespace("user"), nullptr);
  EXPECT_THAT(bundle.masked_paths, ::testing::Contains("/proc/keys"));
  EXPECT_THAT(bundle.read_only_paths, ::testing::Contains("/proc/sys"));
}

TEST(Bundle, KeepsAnAbsoluteRoot) {
  ASSERT_OK_AND_ASSIGN(const Bundle bundle, ParseBundle("/b", R"({"root":{"path":"/var/r"}})"));
  EXPECT_EQ(bundle.rootfs, "/var/r");
}

TEST(Bundle, ReadsWhoIsWhoInAUserNamespaceOfItsOwn) {
  const auto parse = [](const std::string& type) {
    return ParseBundle("/b", R"({"root":{"path":"r"},"linux":{"namespaces":[{"type":")" + type +
                                 R"("}],
      "uidMappings":[{"containerID":5,"hostID":7,"size":1},
                     {"containerID":0,"hostID":100000,"size":4}],
      "gidMappings":[{"containerID":0,"hostID":200000,"size":4294967295}]}})");
  };
  ASSERT_OK_AND_ASSIGN(const Bundle bundle, parse("user"));
  EXPECT_EQ(bundle.users,
            (IdMaps{.users = {{0, 100000, 4}, {5, 7, 1}}, .groups = {{0, 200000, 4294967295}}}));
  ASSERT_OK_AND_ASSIGN(const Bundle without, parse("pid"));
  EXPECT_TRUE(without.users.empty());
}

TEST(Bundle, ReadsHooksOfAllKinds) {
  ASSERT_OK_AND_ASSIGN(const Bundle bundle, ParseBundle("/b", R"({"root":{"path":"r"},"hooks":{
    "prestart":[{"path":"/a"}],"poststop":[{"path":"/b"},{"path":"/c"}]}})"));
  EXPECT_THAT(bundle.hooks, ::testing::ElementsAre("/a", "/b", "/c"));
}

TEST(Bundle, RefusesHostileOnes) {
  for (const char* text :
       {"{}", R"({"root":"x"})", R"({"root":{"path":7}})", R"({"root":{"path":"r"},"mounts":{}})",
        R"({"root":{"path":"r"},"mounts":[7]})",
        R"({"root":{"path":"r"},"mounts":[{"source":"/etc"}]})",
        R"({"root":{"path":"r"},"linux":{"maskedPaths":[{}]}})",
        R"({"root":{"path":"r"},"linux":{"namespaces":[{"type":"user"}],"uidMappings":
          [{"containerID":-1,"hostID":0,"size":1}]}})",
        R"({"root":{"path":"r"},"linux":[]})"}) {
    EXPECT_THAT(ParseBundle("/b", text), FailsWith(Code::kDataLoss)) << text;
  }
}

TEST(Bundle, RefusesAHundredThousandMounts) {
  std::string text = R"({"root":{"path":"r"},"mounts":[{"destination":"/a"})";
  for (int i = 1; i < 100000; ++i) text += R"(,{"destination":"/a"})";
  const auto bundle = ParseBundle("/b", text + "]}");
  ASSERT_THAT(bundle, FailsWith(Code::kDataLoss));
  EXPECT_THAT(bundle.error().message, HasSubstr("100000"));
}

TEST(Bundle, NamesTheContainerWhoseBundleHasGone) {
  const auto bundle = ReadBundle("web", "/nonexistent/bundle");
  ASSERT_THAT(bundle, Refuses("BUNDLE_UNREADABLE"));
  EXPECT_THAT(bundle.error().message, HasSubstr("'web'"));
}

TEST(Bundle, DoesNotFollowALinkInThePlaceOfConfigJson) {
  const TempDir directory;
  ASSERT_EQ(::symlink("/etc/passwd", (directory / "config.json").c_str()), 0);
  EXPECT_THAT(ReadBundle("web", directory.path()), Refuses("BUNDLE_UNREADABLE"));
}

}  // namespace
}  // namespace crd::runtime
