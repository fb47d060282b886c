#include <chrono>
#include <filesystem>
#include <utility>
#include <vector>

#include "tests/unit/criu/swrk_criu_fixture.h"

namespace crd::criu {
namespace {

using ::crd::testing::FailsWith;
using ::crd::testing::IsOk;
using ::crd::testing::Refuses;
using ::testing::ElementsAre;

int OpenDescriptors() {
  int count = 0;
  for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) {
    count += entry.path().empty() ? 0 : 1;
  }
  return count;
}

TEST_F(SwrkCriuTest, CancelledRestoreIsKilledAtOnce) {
  const FakeProgram program(std::string(kGoodVersion) + "notify pre-restore\nhang\n");
  std::thread canceller([&] {
    program.AwaitAnswer("pre-restore true");
    cancel_.Cancel();
  });
  const auto restored = Restore(program, &AgreeToRestore);
  canceller.join();
  EXPECT_THAT(restored, FailsWith(Code::kCancelled));
  EXPECT_THAT(restored, Refuses("CRIU_KILLED"));
}

TEST_F(SwrkCriuTest, RestoreTellsTheRootFromTheStageThatKnowsIt) {
  const FakeProgram program(std::string(kGoodVersion) +
                            "notify pre-restore\nnotify post-restore 77\nnotify pre-resume\n"
                            "notify post-resume\nok 77\n");
  std::vector<std::pair<RestoreStage, pid_t>> seen;
  ASSERT_OK_AND_ASSIGN(const RestoreReport report,
                       Restore(program, [&](RestoreStage stage, pid_t root) -> Result<void> {
                         seen.emplace_back(stage, root);
                         return {};
                       }));
  EXPECT_EQ(report.pid, 77);
  using Seen = std::pair<RestoreStage, pid_t>;
  EXPECT_THAT(seen,
              ElementsAre(Seen(RestoreStage::kPreRestore, 0), Seen(RestoreStage::kPostRestore, 77),
                          Seen(RestoreStage::kPreResume, 77), Seen(RestoreStage::kPostResume, 77)));
}

TEST_F(SwrkCriuTest, DescriptorsThatCriuSendsAreClosed) {
  const FakeProgram program(std::string(kGoodVersion) +
                            "descriptor orphan-pts-master\ndescriptor orphan-pts-master\nok 5\n");
  const int before = OpenDescriptors();
  EXPECT_THAT(Restore(program, &AgreeToRestore), IsOk());
  EXPECT_EQ(OpenDescriptors(), before);
}

}  // namespace
}  // namespace crd::criu
