#include <cerrno>
#include <chrono>
#include <string>
#include <vector>

#include "daemon/base/cgroup.h"
#include "tests/unit/criu/swrk_criu_fixture.h"

namespace crd::criu {
namespace {

using ::crd::testing::IsOk;
using ::testing::ElementsAre;

TEST_F(SwrkCriuTest, ObserverSeesTheStagesInOrder) {
  const FakeProgram program(std::string(kGoodVersion) +
                            "notify pre-dump\nnotify network-lock\nnotify post-dump\n"
                            "notify network-unlock\nok\n");
  std::vector<DumpStage> stages;
  EXPECT_THAT(Dump(program,
                   [&](DumpStage stage) -> Result<void> {
                     stages.push_back(stage);
                     return {};
                   }),
              IsOk());
  EXPECT_THAT(stages, ElementsAre(DumpStage::kPreDump, DumpStage::kNetworkLock,
                                  DumpStage::kPostDump, DumpStage::kNetworkUnlock));
}

TEST_F(SwrkCriuTest, UnknownNotificationsAreAgreedToUnseen) {
  const FakeProgram program(std::string(kGoodVersion) +
                            "notify query-ext-files\nnotify from-the-future\nok\n");
  EXPECT_THAT(Dump(program, [](DumpStage) -> Result<void> { return Objection(); }), IsOk());
  EXPECT_EQ(program.answers(), "query-ext-files true\nfrom-the-future true\n");
}

TEST_F(SwrkCriuTest, CriuIsBornInTheCgroup) {
  const FakeProgram program(kGoodVersion + std::string("notify pre-dump\nok\n"));
  ASSERT_OK_AND_ASSIGN(const std::string ours, CgroupOf(0));
  ASSERT_OK_AND_ASSIGN(const Cgroup cgroup,
                       Cgroup::Create(ours, "crd-test-" + std::to_string(::getpid())));
  DumpRequest request;
  request.images = request.work = program.work();
  request.cgroup = cgroup.directory();
  std::vector<pid_t> inside;
  EXPECT_THAT(Create(program.path())
                  ->Dump(
                      request,
                      [&](DumpStage) -> Result<void> {
                        inside = *cgroup.Pids();
                        return {};
                      },
                      cancel_),
              IsOk());
  EXPECT_EQ(inside.size(), 1U);
  EXPECT_THAT(cgroup.Destroy(SteadyClock::now() + std::chrono::seconds(10)), IsOk());
}

TEST_F(SwrkCriuTest, CgroupThatCannotBeEnteredIsAnErrorBeforeAnythingIsTouched) {
  const FakeProgram program(kGoodVersion + std::string("notify pre-dump\nok\n"));
  const testing::TempDir no_cgroup;
  ASSERT_OK_AND_ASSIGN(const UniqueFd directory, OpenDirectory(no_cgroup.path()));
  DumpRequest request;
  request.images = request.work = program.work();
  request.cgroup = directory.ref();
  const auto report = Create(program.path())->Dump(request, &Agree, cancel_);
  ASSERT_FALSE(report.ok());
  EXPECT_EQ(report.error().sys_errno, EBADF);
  EXPECT_EQ(program.answers(), "");
}

}  // namespace
}  // namespace crd::criu
