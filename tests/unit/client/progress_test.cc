#include "client/progress.h"

#include <array>
#include <optional>
#include <string>

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <pty.h>
#include <sys/ioctl.h>

#include "tests/unit/client/crctl_run.h"

namespace crd::client {
namespace {

using ::testing::EndsWith;
using ::testing::HasSubstr;

constexpr const char* kWipe = "\r\x1b[K";

v1::Progress At(const std::string& stage, std::uint64_t done, std::uint64_t total) {
  v1::Progress progress;
  progress.set_stage(stage);
  progress.set_done_bytes(done);
  progress.set_total_bytes(total);
  return progress;
}

struct Terminal {
  Terminal() {
    int main = -1;
    int side = -1;
    const winsize size{.ws_row = 24, .ws_col = 60, .ws_xpixel = 0, .ws_ypixel = 0};
    if (::openpty(&main, &side, nullptr, nullptr, &size) != 0) return;
    screen.reset(main);
    end.reset(side);
  }
  UniqueFd screen;
  UniqueFd end;
};

TEST(ProgressLine, ShowsStageBarBytesAndTime) {
  EXPECT_EQ(ProgressLine(At("dump", 50U << 20U, 100U << 20U), 1'500'000, 120),
            "dump  [############------------]  50%  50.0 MiB of 100 MiB  1.50 s");
}

TEST(ProgressLine, HasNoBarWithoutATotal) {
  EXPECT_EQ(ProgressLine(At("dump", 1U << 20U, 0), 300'000, 80), "dump  1.0 MiB  300 ms");
  EXPECT_EQ(ProgressLine(At("verify", 0, 0), 300'000, 80), "verify  300 ms");
}

TEST(ProgressLine, NeverGoesPastOneHundredPerCent) {
  EXPECT_THAT(ProgressLine(At("dump", 300, 100), 300'000, 120), HasSubstr("] 100%"));
}

TEST(ProgressLine, SaysSoWhenCrdHasSaidNothingYet) {
  EXPECT_EQ(ProgressLine(std::nullopt, 300'000, 80), "waiting for crd  300 ms");
}

TEST(ProgressLine, FitsTheTerminal) {
  EXPECT_LT(ProgressLine(At("dump", 50, 100), 1'000'000, 20).size(), 20U);
}

TEST(Progress, AppearsOnATerminalAndWipesItselfOut) {
  Terminal terminal;
  ASSERT_TRUE(terminal.screen.valid());
  Output err(terminal.end.ref());
  std::string seen;
  {
    Progress progress(err, Progress::Show::kOnTerminal);
    progress.Update(At("dump", 50U << 20U, 100U << 20U));
    seen = ReadUntil(terminal.screen.ref(), [](const std::string& text) {
      return text.find("dump") != std::string::npos;
    });
  }
  terminal.end.reset();
  seen += ReadAll(terminal.screen.ref());
  EXPECT_THAT(seen, HasSubstr("50%"));
  EXPECT_THAT(seen, EndsWith(kWipe));
}

TEST(Progress, IsSilentWhenItIsOverSoon) {
  // On a busy machine even nothing can take 200 ms; then it is tried again.
  for (int attempt = 0; attempt < 50; ++attempt) {
    Terminal terminal;
    ASSERT_TRUE(terminal.screen.valid());
    Output err(terminal.end.ref());
    const auto begun = SteadyClock::now();
    { Progress(err, Progress::Show::kOnTerminal).Update(At("dump", 1, 2)); }
    if (MicrosSince(begun) > 150'000) continue;
    terminal.end.reset();
    EXPECT_EQ(ReadAll(terminal.screen.ref()), "");
    return;
  }
  FAIL() << "never took less than 150 ms";
}

TEST(Progress, IsSilentWithoutATerminal) {
  std::array<int, 2> ends{};
  ASSERT_EQ(::pipe2(ends.data(), O_CLOEXEC), 0);
  const UniqueFd read(ends[0]);
  UniqueFd write(ends[1]);
  Output err(write.ref());
  {
    Progress progress(err, Progress::Show::kOnTerminal);
    const auto begun = SteadyClock::now();
    EXPECT_TRUE(Eventually([&] { return MicrosSince(begun) > 300'000; }));
    progress.Update(At("dump", 1, 2));
  }
  write.reset();
  EXPECT_EQ(ReadAll(read.ref()), "");
}

TEST(Progress, CanBeForbidden) {
  Terminal terminal;
  ASSERT_TRUE(terminal.screen.valid());
  Output err(terminal.end.ref());
  {
    Progress progress(err, Progress::Show::kNever);
    const auto begun = SteadyClock::now();
    EXPECT_TRUE(Eventually([&] { return MicrosSince(begun) > 300'000; }));
  }
  terminal.end.reset();
  EXPECT_EQ(ReadAll(terminal.screen.ref()), "");
}

}  // namespace
}  // namespace crd::client
