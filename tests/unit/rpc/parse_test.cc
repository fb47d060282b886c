#include "daemon/rpc/parse.h"

#include <chrono>
#include <limits>
#include <string>

#include "tests/support/result_matchers.h"

namespace crd::rpc {
namespace {

using crd::testing::IsOk;
using crd::testing::Refuses;

v1::CheckpointRequest CheckpointOfPid(int pid) {
  v1::CheckpointRequest message;
  message.set_pid(pid);
  return message;
}

v1::RestoreRequest RestoreOf(const std::string& key) {
  v1::RestoreRequest message;
  message.set_checkpoint(key);
  return message;
}

TEST(ParseTest, CheckpointRequestKeepsEveryField) {
  v1::CheckpointRequest message = CheckpointOfPid(12);
  message.set_request_id("r");
  message.set_name("n");
  message.set_timeout_us(5);
  message.mutable_options()->set_leave_running(true);
  message.mutable_options()->set_tcp_established(true);
  message.mutable_options()->set_file_locks(true);
  message.mutable_options()->set_ext_unix_sk(true);
  message.mutable_options()->set_shell_job(true);
  message.mutable_options()->set_link_remap(true);
  message.mutable_options()->set_tcp_skip_in_flight(true);
  message.mutable_options()->set_ghost_limit(99);
  ASSERT_OK_AND_ASSIGN(const CheckpointRequest request, Parse(message));
  EXPECT_EQ(request.request_id, "r");
  EXPECT_EQ(std::get<pid_t>(request.target), 12);
  EXPECT_EQ(request.name, "n");
  EXPECT_EQ(request.timeout, std::chrono::microseconds(5));
  const criu::DumpOptions all{.leave_running = true,
                              .tcp_established = true,
                              .file_locks = true,
                              .ext_unix_sk = true,
                              .shell_job = true,
                              .link_remap = true,
                              .tcp_skip_in_flight = true,
                              .ghost_limit = 99};
  EXPECT_EQ(request.options, all);
}

TEST(ParseTest, ARootsBaseIsAbsolute) {
  v1::CheckpointRequest message = CheckpointOfPid(12);
  ASSERT_OK_AND_ASSIGN(const CheckpointRequest without, Parse(message));
  EXPECT_FALSE(without.rootfs_diff.has_value());
  message.mutable_rootfs_diff();
  ASSERT_OK_AND_ASSIGN(const CheckpointRequest overlay, Parse(message));
  EXPECT_EQ(overlay.rootfs_diff, "");
  message.mutable_rootfs_diff()->set_base("/base");
  ASSERT_OK_AND_ASSIGN(const CheckpointRequest base, Parse(message));
  EXPECT_EQ(base.rootfs_diff, "/base");
  message.mutable_rootfs_diff()->set_base("base");
  EXPECT_THAT(Parse(message), Refuses("INVALID_REQUEST"));
}

TEST(ParseTest, CheckpointNeedsATarget) {
  EXPECT_THAT(Parse(v1::CheckpointRequest()), Refuses("INVALID_REQUEST"));
  v1::CheckpointRequest message;
  message.set_container("");
  EXPECT_THAT(Parse(message), Refuses("INVALID_REQUEST"));
  message.set_container("web");
  ASSERT_OK_AND_ASSIGN(const CheckpointRequest request, Parse(message));
  EXPECT_EQ(std::get<std::string>(request.target), "web");
}

TEST(ParseTest, AContainerMayBeOneOfARuntimes) {
  v1::CheckpointRequest message;
  message.set_container("web");
  ASSERT_OK_AND_ASSIGN(const CheckpointRequest any, Parse(message));
  EXPECT_EQ(std::get<std::string>(any.target), "web");
  message.set_runtime("crun");
  message.set_runtime_root("/run/mine");
  ASSERT_OK_AND_ASSIGN(const CheckpointRequest one, Parse(message));
  const auto& target = std::get<RuntimeTarget>(one.target);
  EXPECT_EQ(target.key, "web");
  EXPECT_EQ(target.runtime, "crun");
  EXPECT_EQ(target.root, "/run/mine");
  message.set_runtime("kata");
  EXPECT_THAT(Parse(message), Refuses("INVALID_REQUEST"));
  message.set_runtime("runc");
  message.set_runtime_root("run/mine");
  EXPECT_THAT(Parse(message), Refuses("INVALID_REQUEST"));
}

TEST(ParseTest, RequestIdHasAtMost64Bytes) {
  v1::CheckpointRequest message = CheckpointOfPid(1);
  message.set_request_id(std::string(64, 'r'));
  EXPECT_THAT(Parse(message), IsOk());
  message.set_request_id(std::string(65, 'r'));
  EXPECT_THAT(Parse(message), Refuses("INVALID_REQUEST"));
}

TEST(ParseTest, TimeoutIsNotNegative) {
  v1::CheckpointRequest message = CheckpointOfPid(1);
  message.set_timeout_us(-1);
  EXPECT_THAT(Parse(message), Refuses("INVALID_REQUEST"));
  v1::RestoreRequest restore = RestoreOf("c");
  restore.set_timeout_us(-1);
  EXPECT_THAT(Parse(restore), Refuses("INVALID_REQUEST"));
}

TEST(ParseTest, TheLongestTimeoutFitsIntoADeadline) {
  v1::CheckpointRequest message = CheckpointOfPid(1);
  message.set_timeout_us(std::numeric_limits<std::int64_t>::max());
  ASSERT_OK_AND_ASSIGN(const CheckpointRequest request, Parse(message));
  EXPECT_GT(SteadyClock::now() + request.timeout, SteadyClock::now());
}

TEST(ParseTest, RestoreNeedsACheckpoint) {
  EXPECT_THAT(Parse(RestoreOf("")), Refuses("INVALID_REQUEST"));
  EXPECT_THAT(Parse(RestoreOf("c")), IsOk());
}

TEST(ParseTest, ConnectionsComeBackOpenOrClosedNotBoth) {
  v1::RestoreRequest message = RestoreOf("c");
  message.set_tcp_close(true);
  EXPECT_THAT(Parse(message), IsOk());
  message.set_tcp_established(true);
  EXPECT_THAT(Parse(message), Refuses("OPTIONS_CONTRADICT"));
}

TEST(ParseTest, LogPathIsAbsolute) {
  v1::RestoreRequest message = RestoreOf("c");
  for (const std::string& path : {std::string("out.log"), std::string("../x"),
                                  std::string("/a\0b", 4), std::string(5000, '/')}) {
    message.mutable_log()->set_path(path);
    EXPECT_THAT(Parse(message), Refuses("INVALID_REQUEST")) << path;
  }
  message.mutable_log()->set_path("/tmp/out.log");
  ASSERT_OK_AND_ASSIGN(const RestoreRequest request, Parse(message));
  EXPECT_EQ(std::get<StdioToLog>(request.stdio).path, "/tmp/out.log");
}

TEST(ParseTest, RestoreLogsUnlessItInherits) {
  v1::RestoreRequest message = RestoreOf("c");
  ASSERT_OK_AND_ASSIGN(const RestoreRequest logs, Parse(message));
  EXPECT_EQ(std::get<StdioToLog>(logs.stdio).path, "");
  message.mutable_inherit();
  ASSERT_OK_AND_ASSIGN(const RestoreRequest inherits, Parse(message));
  EXPECT_TRUE(std::holds_alternative<StdioFromCaller>(inherits.stdio));
}

TEST(ParseTest, CheckIsAboutAPidAContainerOrACheckpoint) {
  v1::CheckRequest message;
  EXPECT_THAT(Parse(message), Refuses("INVALID_REQUEST"));
  message.set_pid(7);
  ASSERT_OK_AND_ASSIGN(const CheckRequest pid, Parse(message));
  EXPECT_EQ(std::get<pid_t>(std::get<Target>(pid.subject)), 7);
  message.set_container("web");
  ASSERT_OK_AND_ASSIGN(const CheckRequest container, Parse(message));
  EXPECT_EQ(std::get<std::string>(std::get<Target>(container.subject)), "web");
  message.set_checkpoint("c");
  ASSERT_OK_AND_ASSIGN(const CheckRequest checkpoint, Parse(message));
  EXPECT_EQ(std::get<CheckRequest::CheckpointKey>(checkpoint.subject).key, "c");
  message.set_checkpoint("");
  EXPECT_THAT(Parse(message), Refuses("INVALID_REQUEST"));
}

TEST(ParseTest, SignalsAre1To64) {
  for (const int signal : {-1, 0, 65}) {
    EXPECT_THAT(ParseSignal(signal), Refuses("INVALID_REQUEST"));
  }
  EXPECT_THAT(ParseSignal(1), IsOk());
  EXPECT_THAT(ParseSignal(64), IsOk());
}

TEST(ParseTest, PagesHaveAtMost1000Entries) {
  EXPECT_EQ(ParsePageSize(0), 1000);
  EXPECT_EQ(ParsePageSize(1), 1);
  EXPECT_EQ(ParsePageSize(1000), 1000);
  EXPECT_EQ(ParsePageSize(1001), 1000);
  EXPECT_EQ(ParsePageSize(std::numeric_limits<std::uint32_t>::max()), 1000);
}

}  // namespace
}  // namespace crd::rpc
