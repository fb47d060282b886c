#include "daemon/runtime/scope_path.h"

#include <gmock/gmock.h>

namespace crd::runtime {
namespace {

using ::testing::Eq;

TEST(ScopePath, IsReadAsSystemdWritesIt) {
  for (const char* path : {"/system.slice/docker-1.scope", "/x.scope",
                           "/a.slice/a-b.slice/a-b-c.slice/x.scope/in/it"}) {
    const auto parsed = ParseScopePath(path);
    ASSERT_TRUE(parsed) << path;
    EXPECT_EQ(parsed->ToString(), path);
  }
  const auto parsed = ParseScopePath("/a.slice/a-b.slice/x.scope/container");
  EXPECT_EQ(parsed->slice, "a-b.slice");
  EXPECT_EQ(parsed->scope, "x.scope");
  EXPECT_EQ(parsed->within, "/container");
}

TEST(ScopePath, IsNothingElse) {
  for (const char* path : {"", "/", "/web", "x.scope", "/system.slice/web.service", "/b/x.scope",
                           "/a-b.slice/x.scope", "/b.slice/a-b.slice/x.scope", "/.slice/x.scope"}) {
    EXPECT_FALSE(ParseScopePath(path)) << path;
  }
}

TEST(ScopePath, GoesByTheContainersId) {
  const auto old = ParseScopePath("/system.slice/docker-web.scope/container");
  EXPECT_EQ(old->Renamed("web", "web2")->ToString(), "/system.slice/docker-web2.scope/container");
  EXPECT_FALSE(old->Renamed("db", "db2"));
}

TEST(ScopePath, TellsSlices) {
  EXPECT_THAT(ParseSlice("/a.slice/a-b.slice"), Eq("a-b.slice"));
  EXPECT_THAT(ParseSlice("machine.slice"), Eq("machine.slice"));
  EXPECT_THAT(ParseSlice("/machine"), Eq(std::nullopt));
  EXPECT_THAT(ParseSlice("/a-.slice"), Eq(std::nullopt));
}

}  // namespace
}  // namespace crd::runtime
