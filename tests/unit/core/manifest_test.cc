#include "daemon/core/manifest.h"

#include "tests/support/result_matchers.h"

namespace crd {
namespace {

using testing::FailsWith;
using testing::IsOk;

Manifest Example() {
  Manifest manifest;
  manifest.checkpoint.id = CheckpointId("0123456789abcdef");
  manifest.checkpoint.pid = 4711;
  manifest.checkpoint.command = "caf\xc3\xa9 --serve";
  manifest.checkpoint.options.tcp_established = true;
  manifest.checkpoint.options.ghost_limit = 5;
  manifest.stdio.push_back(
      {.kind = StdioLink::Kind::kPipe, .key = "pipe:[7]", .pid = 4711, .fd = 1, .writable = true});
  manifest.external.emplace_back("unix[9]");
  manifest.files.push_back({.name = "core-4711.img", .size = 12, .digest = "aa"});
  manifest.files.push_back({.name = "pages-1.img", .size = 1U << 30U, .digest = "bb"});
  return manifest;
}

TEST(Manifest, ComesBackAsItWas) {
  const Manifest before = Example();
  ASSERT_OK_AND_ASSIGN(const Manifest after, ParseManifest(Serialize(before)));
  EXPECT_EQ(after.checkpoint.id, before.checkpoint.id);
  EXPECT_EQ(after.checkpoint.command, before.checkpoint.command);
  EXPECT_EQ(after.checkpoint.options, before.checkpoint.options);
  EXPECT_EQ(after.files, before.files);
  EXPECT_EQ(after.external, before.external);
  ASSERT_EQ(after.stdio.size(), 1U);
  EXPECT_EQ(after.stdio[0].key, "pipe:[7]");
  EXPECT_TRUE(after.stdio[0].writable);
  EXPECT_EQ(after.TotalBytes(), (1U << 30U) + 12U);
}

TEST(Manifest, NoticesEveryChangedByte) {
  const std::string text = Serialize(Example());
  for (std::size_t i = 0; i < text.size(); ++i) {
    std::string changed = text;
    changed[i] = static_cast<char>(changed[i] ^ 1);
    const auto parsed = ParseManifest(changed);
    if (!parsed.ok()) continue;
    // White space outside of strings is no content.
    EXPECT_EQ(Serialize(*parsed), text) << "at byte " << i;
  }
}

TEST(Manifest, NoticesThatItWasCutOff) {
  const std::string text = Serialize(Example());
  for (std::size_t length = 0; length + 2 < text.size(); ++length) {
    EXPECT_THAT(ParseManifest(text.substr(0, length)), FailsWith(Code::kDataLoss)) << length;
  }
}

TEST(Manifest, RefusesNamesThatLeadElsewhere) {
  for (const char* name : {"../core.img", "/etc/passwd", "..", ".", "", "a/b"}) {
    Manifest manifest = Example();
    manifest.files[0].name = name;
    EXPECT_THAT(ParseManifest(Serialize(manifest)), FailsWith(Code::kDataLoss)) << name;
  }
}

TEST(Manifest, SurvivesBytesThatAreNoText) {
  Manifest manifest = Example();
  manifest.checkpoint.command = "\xff\xfe\x01";
  EXPECT_THAT(ParseManifest(Serialize(manifest)), IsOk());
}

}  // namespace
}  // namespace crd
