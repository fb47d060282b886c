#include <filesystem>
#include <fstream>

#include <sys/stat.h>

#include "tests/unit/criu/swrk_criu_fixture.h"

namespace crd::criu {
namespace {

using ::crd::testing::FailsWith;
using ::crd::testing::Refuses;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

TEST_F(SwrkCriuTest, TellsItsVersionAndPath) {
  const FakeProgram program(kGoodVersion);
  const auto criu = Create(program.path());
  EXPECT_EQ(criu->problem(), "");
  EXPECT_EQ(criu->version(), (Version{4, 2, 1}));
  EXPECT_EQ(criu->path(), program.path());
}

TEST_F(SwrkCriuTest, NamesTheVersionThatWouldWork) {
  const FakeProgram program("version 4 1 1\n");
  EXPECT_THAT(Create(program.path())->problem(), HasSubstr("CRIU 4.2 or later"));
}

struct Useless {
  const char* name;
  const char* script;
  const char* problem;
};

class UselessCriuTest : public SwrkCriuTest, public ::testing::WithParamInterface<Useless> {};

TEST_P(UselessCriuTest, HasAProblemAndRefusesEverything) {
  const FakeProgram program(GetParam().script);
  patience_ = kImpatient;
  const auto criu = Create(program.path());
  EXPECT_THAT(criu->problem(), HasSubstr(GetParam().problem));
  DumpRequest dump;
  dump.images = dump.work = program.work();
  RestoreRequest restore;
  restore.images = restore.work = program.work();
  const auto dumped = criu->Dump(dump, &Agree, cancel_);
  EXPECT_THAT(dumped, FailsWith(Code::kFailedPrecondition));
  EXPECT_THAT(dumped, Refuses("CRIU_UNUSABLE"));
  EXPECT_THAT(dumped.error().hint, Not(IsEmpty()));
  EXPECT_THAT(criu->Restore(restore, &AgreeToRestore, cancel_), Refuses("CRIU_UNUSABLE"));
}

INSTANTIATE_TEST_SUITE_P(
    SwrkCriu, UselessCriuTest,
    ::testing::Values(Useless{"rubbish", "version bytes 64\n", "64 bytes that are no answer"},
                      Useless{"huge", "version bytes 2097152\n", "2097152 bytes"},
                      Useless{"truncated", "version truncated\n", "no answer"},
                      Useless{"closed", "version close\nversion hang\n", "had to be killed"},
                      Useless{"hanging", "version hang\n", "had to be killed"},
                      Useless{"crashing", "version crash\n", "killed by signal 11"},
                      Useless{"exiting", "version stderr libfoo.so: not found\nversion exit 127\n",
                              "ended with status 127: libfoo.so: not found"}),
    [](const auto& tested) { return tested.param.name; });

TEST_F(SwrkCriuTest, MissingProgramIsAProblem) {
  EXPECT_THAT(Create("/nonexistent/criu")->problem(), HasSubstr("No such file"));
}

TEST_F(SwrkCriuTest, RelativePathIsAProblem) {
  EXPECT_THAT(Create("criu")->problem(), HasSubstr("absolute"));
}

TEST_F(SwrkCriuTest, ProgramThatMayNotBeExecutedIsAProblem) {
  const testing::TempDir directory;
  std::ofstream(directory / "criu") << "#!/bin/sh\n";
  EXPECT_THAT(Create(directory / "criu")->problem(), HasSubstr("Permission denied"));
}

TEST_F(SwrkCriuTest, FileThatIsNoProgramIsAProblem) {
  const testing::TempDir directory;
  std::ofstream(directory / "criu") << "rubbish";
  ASSERT_EQ(::chmod((directory / "criu").c_str(), 0700), 0);
  EXPECT_THAT(Create(directory / "criu")->problem(), HasSubstr("Exec format error"));
}

TEST_F(SwrkCriuTest, ProgramThatVanishedLaterIsRefusedByName) {
  const FakeProgram program(kGoodVersion);
  const auto criu = Create(program.path());
  std::filesystem::remove(program.path());
  DumpRequest request;
  request.images = request.work = program.work();
  EXPECT_THAT(criu->Dump(request, &Agree, cancel_), Refuses("CRIU_UNUSABLE"));
}

}  // namespace
}  // namespace crd::criu
