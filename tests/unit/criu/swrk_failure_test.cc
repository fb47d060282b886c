#include <fstream>
#include <string>

#include "tests/unit/criu/swrk_criu_fixture.h"

namespace crd::criu {
namespace {

using ::crd::testing::FailsWith;
using ::crd::testing::IsOk;
using ::crd::testing::Refuses;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

TEST_F(SwrkCriuTest, ObjectionIsCarriedToCriuAndComesBackAsItself) {
  const FakeProgram program(std::string(kGoodVersion) +
                            "notify pre-dump\nnotify post-dump\nnotify network-unlock\n"
                            "stop-if-refused\nok\n");
  std::vector<DumpStage> stages;
  const auto dumped = Dump(program, [&](DumpStage stage) -> Result<void> {
    stages.push_back(stage);
    if (stage == DumpStage::kPostDump) return Objection();
    return {};
  });
  EXPECT_THAT(dumped, Refuses("MINE"));
  EXPECT_THAT(dumped, FailsWith(Code::kAborted));
  EXPECT_EQ(program.answers(), "pre-dump true\npost-dump false\nnetwork-unlock true\n");
  EXPECT_THAT(stages,
              ElementsAre(DumpStage::kPreDump, DumpStage::kPostDump, DumpStage::kNetworkUnlock));
}

TEST_F(SwrkCriuTest, ObjectionThatCriuCannotFollowSaysThatCriuWasKilled) {
  const FakeProgram program(std::string(kGoodVersion) + "notify pre-dump\ncrash\n");
  const auto dumped = Dump(program, [](DumpStage) -> Result<void> { return Objection(); });
  EXPECT_THAT(dumped, FailsWith(Code::kAborted));
  EXPECT_THAT(dumped, Refuses("CRIU_KILLED"));
  EXPECT_THAT(dumped.error().message, HasSubstr("killed by signal 11"));
}

TEST_F(SwrkCriuTest, ObjectionThatCriuSitsOnEndsWithAKill) {
  patience_ = kImpatient;
  const FakeProgram program(std::string(kGoodVersion) + "notify pre-dump\nhang\n");
  const auto dumped = Dump(program, [](DumpStage) -> Result<void> { return Objection(); });
  EXPECT_THAT(dumped, FailsWith(Code::kAborted));
  EXPECT_THAT(dumped, Refuses("CRIU_KILLED"));
}

TEST_F(SwrkCriuTest, RefusalCarriesDiagnosisAndLogLines) {
  const FakeProgram program(
      std::string(kGoodVersion) +
      "log (00.01) Error (criu/sk-inet.c:200): inet: Connected TCP socket, consider using "
      "--tcp-established option.\nfail 0 something\n");
  const auto dumped = Dump(program, &Agree);
  EXPECT_THAT(dumped, Refuses("TCP_ESTABLISHED"));
  EXPECT_THAT(dumped.error().message, HasSubstr("cannot dump process 4242"));
  EXPECT_THAT(dumped.error().hint, HasSubstr("tcp_established"));
  EXPECT_THAT(dumped.error().log_lines, ElementsAre(HasSubstr("sk-inet.c:200")));
}

TEST_F(SwrkCriuTest, RefusalWithoutALogUsesTheAnswersOwnWords) {
  const FakeProgram program(std::string(kGoodVersion) +
                            "fail 17 Error (criu/x.c:1): Strange thing happened\n");
  const auto restored = Restore(program, &AgreeToRestore);
  EXPECT_THAT(restored, FailsWith(Code::kAlreadyExists));
  EXPECT_EQ(restored.error().sys_errno, EEXIST);
  EXPECT_THAT(restored.error().log_lines, ElementsAre(HasSubstr("Strange thing")));
}

TEST_F(SwrkCriuTest, LogOfAnEarlierAttemptIsNotBelieved) {
  const FakeProgram program(std::string(kGoodVersion) + "fail 0\n");
  ASSERT_THAT(WriteFileAt(program.work(), "dump.log", "Error (criu/a.c:1): old story\n"), IsOk());
  const auto dumped = Dump(program, &Agree);
  EXPECT_THAT(dumped, FailsWith(Code::kInternal));
  EXPECT_THAT(dumped.error().log_lines, IsEmpty());
}

TEST_F(SwrkCriuTest, CrashMidWayIsToldAsSuch) {
  const FakeProgram program(std::string(kGoodVersion) + "notify pre-dump\ncrash\n");
  const auto dumped = Dump(program, &Agree);
  EXPECT_THAT(dumped, Refuses("CRIU_KILLED"));
  EXPECT_THAT(dumped.error().message, HasSubstr("killed by signal 11"));
}

TEST_F(SwrkCriuTest, OrderlyExitWithoutAnswerIsNoKill) {
  const FakeProgram program(std::string(kGoodVersion) + "notify pre-dump\nexit 1\n");
  const auto dumped = Dump(program, &Agree);
  EXPECT_THAT(dumped, FailsWith(Code::kInternal));
  EXPECT_EQ(dumped.error().reason, "");
  EXPECT_THAT(dumped.error().message, HasSubstr("status 1"));
}

struct Nonsense {
  const char* name;
  const char* script;
  const char* message;
};

class NonsenseTest : public SwrkCriuTest, public ::testing::WithParamInterface<Nonsense> {};

TEST_P(NonsenseTest, IsACleanErrorAndCriuIsKilled) {
  patience_ = kImpatient;
  const FakeProgram program(std::string(kGoodVersion) + GetParam().script);
  const auto dumped = Dump(program, &Agree);
  EXPECT_THAT(dumped, FailsWith(Code::kInternal));
  EXPECT_THAT(dumped, Refuses("CRIU_KILLED"));
  EXPECT_THAT(dumped.error().message, HasSubstr(GetParam().message));
}

INSTANTIATE_TEST_SUITE_P(
    SwrkCriu, NonsenseTest,
    ::testing::Values(Nonsense{"rubbish", "bytes 64\nhang\n", "64 bytes that are no answer"},
                      Nonsense{"huge", "bytes 2097152\nhang\n", "a message of 2097152 bytes"},
                      Nonsense{"truncated", "truncated\nhang\n", "are no answer"},
                      Nonsense{"closed", "close\nhang\n", "had to be killed"}),
    [](const auto& tested) { return tested.param.name; });

}  // namespace
}  // namespace crd::criu
