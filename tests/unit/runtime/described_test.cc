#include "daemon/runtime/described.h"

#include <unistd.h>

#include "tests/support/result_matchers.h"
#include "tests/support/temp_dir.h"

namespace crd::runtime {
namespace {

using testing::Refuses;

TEST(Described, RefusesWhatIsNoPlainName) {
  const ClientDescription good{.pid = ::getpid(), .id = "web", .bundle = "/b"};
  for (const char* id : {"", ".", "..", "a/b"}) {
    ClientDescription bad = good;
    bad.id = id;
    EXPECT_THAT(CheckDescription(bad), Refuses("DESCRIPTION_WRONG")) << id;
  }
  for (const char* path : {"b", "", "/b/../etc", "/b/.."}) {
    ClientDescription bad = good;
    bad.bundle = path;
    EXPECT_THAT(CheckDescription(bad), Refuses("DESCRIPTION_WRONG")) << path;
  }
}

TEST(Described, RefusesAProcessThatIsInNoContainer) {
  EXPECT_THAT(CheckDescription({.pid = ::getpid(), .id = "web", .bundle = "/b"}),
              Refuses("DESCRIPTION_WRONG"));
  EXPECT_THAT(CheckDescription({.pid = 0, .id = "web", .bundle = "/b"}),
              Refuses("DESCRIPTION_WRONG"));
}

}  // namespace
}  // namespace crd::runtime
