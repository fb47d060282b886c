#include <atomic>
#include <csignal>
#include <mutex>
#include <string>

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <pty.h>

#include "tests/unit/client/client_fixture.h"

// What only the program as a whole can show: signals, terminals, broken pipes.
namespace crd::client {
namespace {

using grpc::ServerContext;
using grpc::Status;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using CheckpointWriter = grpc::ServerWriter<v1::CheckpointResponse>;
using RestoreWriter = grpc::ServerWriter<v1::RestoreResponse>;

class Program : public WithFakeCrd {
 protected:
  // A checkpoint that goes on until its client leaves; what came of it is up to the test.
  void HoldCheckpoint() {
    answers_.checkpoint = [this](ServerContext& context, const v1::CheckpointRequest& request,
                                 CheckpointWriter& writer) {
      {
        const std::lock_guard lock(mutex_);
        operation_.set_request_id(request.request_id());
        operation_.set_state(v1::OPERATION_STATE_RUNNING);
      }
      v1::CheckpointResponse step;
      step.mutable_progress()->set_stage("dump");
      step.mutable_progress()->set_done_bytes(1U << 20U);
      step.mutable_progress()->set_total_bytes(2U << 20U);
      writer.Write(step);
      begun_ = true;
      EXPECT_TRUE(Eventually([&] { return context.IsCancelled() || finish_; }));
      if (finish_) {
        step.mutable_checkpoint()->set_id("4f2a");
        writer.Write(step);
        return Status::OK;
      }
      const std::lock_guard lock(mutex_);
      operation_.set_state(outcome_);
      operation_.mutable_error()->set_message("cancelled while it was at 'dump'");
      operation_.set_checkpoint_id("4f2a");
      return Status::CANCELLED;
    };
    answers_.list_operations = [this](ServerContext&, const v1::ListRequest& request,
                                      v1::ListOperationsResponse& response) {
      EXPECT_TRUE(request.all());
      const std::lock_guard lock(mutex_);
      *response.add_operations() = operation_;
      return Status::OK;
    };
  }
  // A container that ends by the first signal that it is sent.
  void HoldContainer() {
    answers_.restore = [](ServerContext&, const v1::RestoreRequest&, RestoreWriter& writer) {
      v1::RestoreResponse step;
      step.mutable_container()->set_id("77c0");
      writer.Write(step);
      return Status::OK;
    };
    answers_.wait = [this](ServerContext& context, const v1::WaitRequest&,
                           v1::Container& container) {
      begun_ = true;
      EXPECT_TRUE(Eventually([&] { return context.IsCancelled() || signal_ != 0; }));
      container.mutable_exit()->set_signal(signal_);
      return Status::OK;
    };
    answers_.signal = [this](ServerContext&, const v1::SignalRequest& request,
                             v1::SignalResponse&) {
      EXPECT_EQ(request.container(), "77c0");
      signal_ = request.signal();
      return Status::OK;
    };
  }
  bool HasBegun() {
    return Eventually([this] { return begun_.load(); });
  }

  std::mutex mutex_;
  v1::Operation operation_;
  std::atomic<v1::OperationState> outcome_ = v1::OPERATION_STATE_FAILED;
  std::atomic<bool> begun_ = false;
  std::atomic<bool> finish_ = false;
  std::atomic<int> signal_ = 0;
};

TEST_F(Program, ExitsWithTheStatusOfTheCommand) {
  EXPECT_EQ(CrctlProcess({.arguments = {"version"}}).Finish().status, kDone);
  EXPECT_EQ(CrctlProcess({.arguments = {"frobnicate"}}).Finish().status, kUsage);
  EXPECT_EQ(CrctlProcess({.arguments = {"--socket", dir_ / "none", "info"}}).Finish().status,
            kNoDaemon);
  const Outcome refused = CrctlProcess({.arguments = At({"info"})}).Finish();
  EXPECT_EQ(refused.status, kFailed);
  EXPECT_EQ(refused.out, "");
}

TEST_F(Program, CancelsTheCheckpointOnCtrlC) {
  HoldCheckpoint();
  CrctlProcess crctl({.arguments = At({"checkpoint", "--pid", "1"})});
  ASSERT_TRUE(HasBegun());
  crctl.Signal(SIGINT);
  const Outcome outcome = crctl.Finish();
  EXPECT_EQ(outcome.status, kSignalBase + SIGINT);
  EXPECT_EQ(outcome.out, "");
  EXPECT_THAT(outcome.err, HasSubstr("interrupted by SIGINT: cancelled while it was at 'dump'"));
}

TEST_F(Program, SaysSoWhenCtrlCCameTooLate) {
  HoldCheckpoint();
  outcome_ = v1::OPERATION_STATE_SUCCEEDED;
  answers_.get_checkpoint = [](ServerContext&, const v1::GetRequest& request,
                               v1::Checkpoint& checkpoint) {
    checkpoint.set_id(request.key());
    return Status::OK;
  };
  CrctlProcess crctl({.arguments = At({"checkpoint", "--pid", "1"})});
  ASSERT_TRUE(HasBegun());
  crctl.Signal(SIGTERM);
  const Outcome outcome = crctl.Finish();
  EXPECT_EQ(outcome.status, kDone);
  EXPECT_EQ(outcome.out, "4f2a\n");
  EXPECT_THAT(outcome.err, HasSubstr("too late to cancel"));
}

TEST_F(Program, DoesNotWaitForTheOutcomeAfterASecondSignal) {
  HoldCheckpoint();
  outcome_ = v1::OPERATION_STATE_RUNNING;
  CrctlProcess crctl({.arguments = At({"checkpoint", "--pid", "1"})});
  ASSERT_TRUE(HasBegun());
  std::atomic<bool> asked = false;
  // Replaced before the first signal: nobody has asked yet.
  answers_.list_operations = [&](ServerContext&, const v1::ListRequest&,
                                 v1::ListOperationsResponse& response) {
    const std::lock_guard lock(mutex_);
    *response.add_operations() = operation_;
    asked = true;
    return Status::OK;
  };
  crctl.Signal(SIGINT);
  ASSERT_TRUE(Eventually([&] { return asked.load(); }));
  crctl.Signal(SIGINT);
  const Outcome outcome = crctl.Finish();
  EXPECT_EQ(outcome.status, kSignalBase + SIGINT);
  EXPECT_THAT(outcome.err, HasSubstr("not known yet"));
}

TEST_F(Program, PassesSignalsOnToTheContainerItWaitsFor) {
  for (const int signal : {SIGINT, SIGTERM, SIGHUP}) {
    HoldContainer();
    begun_ = false;
    signal_ = 0;
    CrctlProcess crctl({.arguments = At({"restore", "4f2a", "--wait"})});
    ASSERT_TRUE(HasBegun());
    crctl.Signal(signal);
    const Outcome outcome = crctl.Finish();
    EXPECT_EQ(signal_, signal);
    EXPECT_EQ(outcome.status, kSignalBase + signal);
    EXPECT_EQ(outcome.err, "");
  }
}

TEST_F(Program, ShowsProgressOnATerminalOnly) {
  HoldCheckpoint();
  int main = -1;
  int side = -1;
  ASSERT_EQ(::openpty(&main, &side, nullptr, nullptr, nullptr), 0);
  const UniqueFd screen(main);
  UniqueFd end(side);
  CrctlProcess crctl({.arguments = At({"checkpoint", "--pid", "1"}), .err = end.ref()});
  end.reset();
  std::string seen = ReadUntil(screen.ref(), [](const std::string& text) {
    return text.find("dump  [############------------]  50%") != std::string::npos;
  });
  EXPECT_THAT(seen, HasSubstr("50%"));
  finish_ = true;
  seen += ReadAll(screen.ref());
  EXPECT_EQ(crctl.Finish().out, "4f2a\n");
  EXPECT_THAT(seen, EndsWith("\r\x1b[K"));
}

TEST_F(Program, KeepsAPipeFreeOfProgress) {
  HoldCheckpoint();
  CrctlProcess crctl({.arguments = At({"checkpoint", "--pid", "1"})});
  ASSERT_TRUE(HasBegun());
  const auto begun = SteadyClock::now();
  ASSERT_TRUE(Eventually([&] { return MicrosSince(begun) > 400'000; }));
  finish_ = true;
  const Outcome outcome = crctl.Finish();
  EXPECT_EQ(outcome.out, "4f2a\n");
  EXPECT_EQ(outcome.err, "");
}

TEST_F(Program, EndsQuietlyWhenNobodyReadsItsResults) {
  answers_.watch = [](ServerContext& context, const v1::WatchRequest&,
                      grpc::ServerWriter<v1::Event>& writer) {
    EXPECT_TRUE(Eventually([&] { return context.IsCancelled() || !writer.Write(v1::Event()); }));
    return Status::OK;
  };
  CrctlProcess crctl({.arguments = At({"events", "--follow"})});
  crctl.CloseOut();
  const Outcome outcome = crctl.Finish();
  EXPECT_EQ(outcome.status, kSignalBase + SIGPIPE);
  EXPECT_EQ(outcome.err, "");
}

TEST_F(Program, SaysSoWhenItsResultsCannotBeWritten) {
  answers_.info = [](ServerContext&, const v1::InfoRequest&, v1::InfoResponse&) {
    return Status::OK;
  };
  const UniqueFd full(::open("/dev/full", O_WRONLY | O_CLOEXEC));
  CrctlProcess crctl({.arguments = At({"info"}), .out = full.ref()});
  const Outcome outcome = crctl.Finish();
  EXPECT_EQ(outcome.status, kFailed);
  EXPECT_THAT(outcome.err, HasSubstr("No space left"));
}

}  // namespace
}  // namespace crd::client
