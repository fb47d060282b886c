#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/client/client_fixture.h"

// `checkpoint` and `restore`: what they ask, and what they make of the stream.
namespace crd::client {
namespace {

using crd::testing::Refusal;
using grpc::ServerContext;
using grpc::Status;
using grpc::StatusCode;
using ::testing::AllOf;
using ::testing::HasSubstr;
using CheckpointWriter = grpc::ServerWriter<v1::CheckpointResponse>;
using RestoreWriter = grpc::ServerWriter<v1::RestoreResponse>;

class Operations : public WithFakeCrd {
 protected:
  // Answers every restore with one container and remembers what was asked.
  void AnswerRestores() {
    answers_.restore = [this](ServerContext&, const v1::RestoreRequest& request,
                              RestoreWriter& writer) {
      restore_ = request;
      v1::RestoreResponse step;
      step.mutable_container()->set_id("77c0");
      step.mutable_container()->set_pid(815);
      writer.Write(step);
      return Status::OK;
    };
  }
  void AnswerCheckpoints() {
    answers_.checkpoint = [this](ServerContext&, const v1::CheckpointRequest& request,
                                 CheckpointWriter& writer) {
      checkpoint_ = request;
      v1::CheckpointResponse step;
      step.mutable_progress()->set_stage("dump");
      writer.Write(step);
      step.mutable_checkpoint()->set_id("4f2a");
      writer.Write(step);
      return Status::OK;
    };
  }
  v1::RestoreRequest restore_;
  v1::CheckpointRequest checkpoint_;
};

std::string Content(const std::string& path) {
  std::ostringstream text;
  text << std::ifstream(path).rdbuf();
  return text.str();
}

TEST_F(Operations, CheckpointPrintsTheIdAlone) {
  AnswerCheckpoints();
  const Outcome outcome = Run({"checkpoint", "--pid", "4711"});
  EXPECT_EQ(outcome.status, kDone);
  EXPECT_EQ(outcome.out, "4f2a\n");
  EXPECT_EQ(outcome.err, "");
  EXPECT_EQ(checkpoint_.pid(), 4711);
  EXPECT_EQ(checkpoint_.request_id().size(), 16U);
  EXPECT_EQ(checkpoint_.timeout_us(), 0);
}

TEST_F(Operations, CheckpointPassesEveryOptionOn) {
  AnswerCheckpoints();
  const Outcome outcome =
      Run({"checkpoint", "web", "--name", "n", "--leave-running", "--tcp-established",
           "--file-locks", "--ext-unix-sk", "--shell-job", "--link-remap", "--tcp-skip-in-flight",
           "--ghost-limit", "2M", "--timeout", "30s"});
  ASSERT_EQ(outcome.status, kDone) << outcome.err;
  EXPECT_EQ(checkpoint_.container(), "web");
  EXPECT_EQ(checkpoint_.name(), "n");
  EXPECT_EQ(checkpoint_.timeout_us(), 30'000'000);
  const v1::DumpOptions& options = checkpoint_.options();
  EXPECT_TRUE(options.leave_running() && options.tcp_established() && options.file_locks() &&
              options.ext_unix_sk() && options.shell_job() && options.link_remap() &&
              options.tcp_skip_in_flight());
  EXPECT_EQ(options.ghost_limit(), 2U << 20U);
}

TEST_F(Operations, TakesARootsDifferenceWithAndWithoutABase) {
  AnswerCheckpoints();
  ASSERT_EQ(Run({"checkpoint", "web"}).status, kDone);
  EXPECT_FALSE(checkpoint_.has_rootfs_diff());
  ASSERT_EQ(Run({"checkpoint", "--rootfs-diff", "web"}).status, kDone);
  EXPECT_EQ(checkpoint_.container(), "web");
  ASSERT_TRUE(checkpoint_.has_rootfs_diff());
  EXPECT_EQ(checkpoint_.rootfs_diff().base(), "");
  ASSERT_EQ(Run({"checkpoint", "web", "--rootfs-diff=/srv/../base"}).status, kDone);
  EXPECT_EQ(checkpoint_.rootfs_diff().base(), "/base");
  AnswerRestores();
  ASSERT_EQ(Run({"restore", "4f2a"}).status, kDone);
  EXPECT_EQ(restore_.rootfs_diff(), v1::ROOTFS_DIFF_MODE_UNSPECIFIED);
  ASSERT_EQ(Run({"restore", "--rootfs-diff", "4f2a"}).status, kDone);
  EXPECT_EQ(restore_.rootfs_diff(), v1::ROOTFS_DIFF_MODE_LAY_DOWN);
  ASSERT_EQ(Run({"restore", "--no-rootfs-diff", "4f2a"}).status, kDone);
  EXPECT_EQ(restore_.rootfs_diff(), v1::ROOTFS_DIFF_MODE_LEAVE_OUT);
  EXPECT_NE(Run({"restore", "--no-rootfs-diff", "--rootfs-diff", "4f2a"}).status, kDone);
}

TEST_F(Operations, CheckpointWithJsonPrintsTheMessage) {
  AnswerCheckpoints();
  EXPECT_THAT(Run({"checkpoint", "web", "--json"}).out, HasSubstr(R"({"id":"4f2a","name":"")"));
}

TEST_F(Operations, ARefusalIsToldWithHintAndCriusWords) {
  answers_.checkpoint = [](ServerContext&, const v1::CheckpointRequest&, CheckpointWriter&) {
    v1::Error error;
    error.set_code(StatusCode::FAILED_PRECONDITION);
    error.set_message("the dump failed");
    error.set_hint("try --tcp-established");
    error.add_log_lines("Error (criu/sk-inet.c:191): connected");
    return Refusal(error);
  };
  const Outcome outcome = Run({"checkpoint", "--pid", "1"});
  EXPECT_EQ(outcome.status, kFailed);
  EXPECT_EQ(outcome.out, "");
  EXPECT_EQ(outcome.err,
            "crctl: the dump failed\n  hint: try --tcp-established\n  CRIU said:\n"
            "    Error (criu/sk-inet.c:191): connected\n");
}

TEST_F(Operations, AreAskedForAgainWithTheSameIdWhenCrdGoesAway) {
  std::vector<std::string> ids;
  answers_.checkpoint = [&](ServerContext&, const v1::CheckpointRequest& request,
                            CheckpointWriter&) {
    ids.push_back(request.request_id());
    if (ids.size() == 1) return Status(StatusCode::UNAVAILABLE, "Socket closed");
    return Refusal(StatusCode::ABORTED, "CRD_DIED", "crd ended while it was at 'dump'");
  };
  const Outcome outcome = Run({"checkpoint", "web"});
  EXPECT_EQ(outcome.status, kFailed);
  EXPECT_THAT(outcome.err, HasSubstr("crd ended while"));
  ASSERT_EQ(ids.size(), 2U);
  EXPECT_EQ(ids[0], ids[1]);
}

TEST_F(Operations, AnEndWithoutAResultIsAnError) {
  answers_.checkpoint = [](ServerContext&, const v1::CheckpointRequest&, CheckpointWriter&) {
    return Status::OK;
  };
  const Outcome outcome = Run({"checkpoint", "web"});
  EXPECT_EQ(outcome.status, kFailed);
  EXPECT_THAT(outcome.err, HasSubstr("without a result"));
}

TEST_F(Operations, RestorePrintsTheContainersId) {
  AnswerRestores();
  const Outcome outcome = Run({"restore", "4f2a", "--name", "web", "--tcp-close"});
  EXPECT_EQ(outcome.status, kDone);
  EXPECT_EQ(outcome.out, "77c0\n");
  EXPECT_EQ(restore_.checkpoint(), "4f2a");
  EXPECT_EQ(restore_.name(), "web");
  EXPECT_TRUE(restore_.tcp_close());
  EXPECT_EQ(restore_.stdio_case(), v1::RestoreRequest::STDIO_NOT_SET);
}

TEST_F(Operations, RestoreNamesTheLogByAnAbsolutePath) {
  AnswerRestores();
  ASSERT_EQ(Run({"restore", "4f2a", "--log", "x/../run.log"}).status, kDone);
  EXPECT_EQ(restore_.log().path(), (std::filesystem::current_path() / "run.log").string());
}

TEST_F(Operations, RestoreWritesThePidFile) {
  AnswerRestores();
  const std::string path = dir_ / "web.pid";
  std::ofstream(path) << "old";
  ASSERT_EQ(Run({"restore", "4f2a", "--pidfile", path}).status, kDone);
  EXPECT_EQ(Content(path), "815\n");
}

TEST_F(Operations, RestoreWritesAPidFileThroughALinkToItsDirectory) {
  AnswerRestores();
  std::filesystem::create_directory(dir_ / "run");
  std::filesystem::create_directory_symlink(dir_ / "run", dir_ / "var-run");
  ASSERT_EQ(Run({"restore", "4f2a", "--pidfile", dir_ / "var-run/web.pid"}).status, kDone);
  EXPECT_EQ(Content(dir_ / "run/web.pid"), "815\n");
}

TEST_F(Operations, RestoreAsksNothingWhenThePidFileCannotBeWritten) {
  AnswerRestores();
  const Outcome outcome = Run({"restore", "4f2a", "--pidfile", dir_ / "none/web.pid"});
  EXPECT_EQ(outcome.status, kFailed);
  EXPECT_THAT(outcome.err, HasSubstr("none/web.pid' cannot be written"));
  EXPECT_EQ(restore_.checkpoint(), "");
}

TEST_F(Operations, RestoreThatWaitsExitsAsTheContainerDid) {
  AnswerRestores();
  v1::Container ended;
  ended.set_id("77c0");
  answers_.wait = [&](ServerContext&, const v1::WaitRequest& request, v1::Container& container) {
    EXPECT_EQ(request.container(), "77c0");
    container = ended;
    return Status::OK;
  };
  ended.mutable_exit()->set_code(42);
  const Outcome exited = Run({"restore", "4f2a", "--wait"});
  EXPECT_EQ(exited.status, 42);
  EXPECT_EQ(exited.out, "77c0\n");
  ended.mutable_exit()->set_signal(9);
  EXPECT_EQ(Run({"restore", "4f2a", "--wait"}).status, 137);
  ended.clear_exit();
  const Outcome unknown = Run({"restore", "4f2a", "--wait"});
  EXPECT_EQ(unknown.status, kFailed);
  EXPECT_THAT(unknown.err, HasSubstr("nobody knows how container 77c0 ended"));
}

TEST_F(Operations, RestoreGoesOnWaitingWhenCrdIsReplaced) {
  AnswerRestores();
  int waits = 0;
  answers_.wait = [&](ServerContext&, const v1::WaitRequest&, v1::Container& container) {
    if (++waits == 1) return Status(StatusCode::UNAVAILABLE, "Socket closed");
    container.mutable_exit()->set_code(5);
    return Status::OK;
  };
  EXPECT_EQ(Run({"restore", "4f2a", "--wait"}).status, 5);
  EXPECT_EQ(waits, 2);
}

TEST_F(Operations, RestoreThatGivesItsStdioAwaySaysNothingWhileItWaits) {
  AnswerRestores();
  answers_.wait = [](ServerContext&, const v1::WaitRequest&, v1::Container& container) {
    container.mutable_exit()->set_code(0);
    return Status::OK;
  };
  const Outcome outcome = Run({"restore", "4f2a", "--wait", "--inherit-stdio"});
  EXPECT_EQ(outcome.status, kDone);
  EXPECT_EQ(outcome.out + outcome.err, "");
  EXPECT_EQ(restore_.stdio_case(), v1::RestoreRequest::kInherit);
  EXPECT_EQ(Run({"restore", "4f2a", "--inherit-stdio"}).out, "77c0\n");
}

}  // namespace
}  // namespace crd::client
