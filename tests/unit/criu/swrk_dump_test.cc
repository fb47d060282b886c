#include <fstream>
#include <string>
#include <vector>

#include "tests/unit/criu/swrk_criu_fixture.h"

namespace crd::criu {
namespace {

using ::crd::testing::FailsWith;
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

TEST_F(SwrkCriuTest, CriuIsMovedIntoTheCgroupBeforeItIsAskedAnything) {
  // A directory with a cgroup.procs of its own stands for the cgroup.
  const FakeProgram program(kGoodVersion + std::string("notify pre-dump\nok\n"));
  const testing::TempDir cgroup;
  std::ofstream(cgroup / "cgroup.procs").flush();
  ASSERT_OK_AND_ASSIGN(const UniqueFd directory, OpenDirectory(cgroup.path()));
  DumpRequest request;
  request.images = request.work = program.work();
  request.cgroup = directory.ref();
  std::string moved;
  EXPECT_THAT(Create(program.path())
                  ->Dump(
                      request,
                      [&](DumpStage) -> Result<void> {
                        moved = *ReadFile(cgroup / "cgroup.procs");
                        return {};
                      },
                      cancel_),
              IsOk());
  EXPECT_GT(std::stoi(moved), 0);
}

TEST_F(SwrkCriuTest, CgroupThatCannotBeEnteredIsAnErrorBeforeAnythingIsTouched) {
  const FakeProgram program(kGoodVersion + std::string("notify pre-dump\nok\n"));
  const testing::TempDir no_cgroup;
  ASSERT_OK_AND_ASSIGN(const UniqueFd directory, OpenDirectory(no_cgroup.path()));
  DumpRequest request;
  request.images = request.work = program.work();
  request.cgroup = directory.ref();
  EXPECT_THAT(Create(program.path())->Dump(request, &Agree, cancel_), FailsWith(Code::kNotFound));
  EXPECT_EQ(program.answers(), "");
}

}  // namespace
}  // namespace crd::criu
