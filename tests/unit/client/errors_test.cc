#include "client/errors.h"

#include <api/v1/types.pb.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "client/exit_codes.h"
#include "tests/fakes/fake_crd.h"

namespace crd::client {
namespace {

using ::testing::HasSubstr;

TEST(FromStatus, GivesCrdsOwnErrorBack) {
  v1::Error proto;
  proto.set_code(grpc::StatusCode::FAILED_PRECONDITION);
  proto.set_reason("PID_TAKEN");
  proto.set_message("pid 4711 is taken by 'sh'");
  proto.set_hint("end that process");
  proto.set_stage("claim");
  proto.set_sys_errno(17);
  proto.add_log_lines("Error (criu/x.c:1): no");
  const Error error = FromStatus(crd::testing::Refusal(proto));
  EXPECT_EQ(error.code, Code::kFailedPrecondition);
  EXPECT_EQ(error.reason, "PID_TAKEN");
  EXPECT_EQ(error.message, "pid 4711 is taken by 'sh'");
  EXPECT_EQ(error.hint, "end that process");
  EXPECT_EQ(error.stage, "claim");
  EXPECT_EQ(error.sys_errno, 17);
  EXPECT_EQ(error.log_lines, std::vector<std::string>{"Error (criu/x.c:1): no"});
}

TEST(FromStatus, TakesALostConnectionForNoDaemon) {
  const Error error = FromStatus({grpc::StatusCode::UNAVAILABLE, "Socket closed"});
  EXPECT_EQ(error.reason, kNoDaemonReason);
  EXPECT_EQ(ExitCode(error), kNoDaemon);
  EXPECT_THAT(error.message, HasSubstr("Socket closed"));
}

TEST(FromStatus, NamesTheOptionThatGivesMoreTime) {
  const Error error = FromStatus({grpc::StatusCode::DEADLINE_EXCEEDED, "Deadline Exceeded"});
  EXPECT_THAT(error.hint, HasSubstr("--timeout"));
  EXPECT_EQ(ExitCode(error), kFailed);
}

TEST(FromStatus, IsNeverSilent) {
  EXPECT_EQ(FromStatus({grpc::StatusCode::UNKNOWN, ""}).message, "UNKNOWN");
  const grpc::Status garbage(grpc::StatusCode::INTERNAL, "what gRPC says", "\xff\xff");
  EXPECT_EQ(FromStatus(garbage).message, "what gRPC says");
}

TEST(ExitCode, TellsAStoppingCrdFromARefusal) {
  EXPECT_EQ(ExitCode({.code = Code::kUnavailable, .reason = "SHUTTING_DOWN"}), kNoDaemon);
  EXPECT_EQ(ExitCode({.code = Code::kNotFound, .reason = "CHECKPOINT_NOT_FOUND"}), kFailed);
  EXPECT_EQ(ExitCode({.code = Code::kPermissionDenied, .reason = "NO_DAEMON"}), kNoDaemon);
}

TEST(Render, PutsHintAndCriusLinesBelow) {
  EXPECT_EQ(Render({.message = "the dump failed",
                    .hint = "use --tcp-established",
                    .log_lines = {"Error (criu/sk-inet.c:191): Connected TCP socket",
                                  "Error (criu/cr-dump.c:1): failed"}}),
            "crctl: the dump failed\n"
            "  hint: use --tcp-established\n"
            "  CRIU said:\n"
            "    Error (criu/sk-inet.c:191): Connected TCP socket\n"
            "    Error (criu/cr-dump.c:1): failed\n");
  EXPECT_EQ(Render({.message = "no"}), "crctl: no\n");
}

TEST(Render, LetsNoControlCharacterThrough) {
  EXPECT_EQ(Render({.message = "taken by '\x1b[2J'"}), "crctl: taken by '?[2J'\n");
}

}  // namespace
}  // namespace crd::client
