#include <algorithm>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "daemon/base/clock.h"
#include "tests/unit/client/client_fixture.h"

// What the commands ask, and what they make of the answers.
namespace crd::client {
namespace {

using crd::testing::Refusal;
using grpc::ServerContext;
using grpc::Status;
using grpc::StatusCode;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

using Commands = WithFakeCrd;

v1::Checkpoint SomeCheckpoint(const std::string& id) {
  v1::Checkpoint checkpoint;
  checkpoint.set_id(id);
  checkpoint.set_name("before-upgrade");
  checkpoint.set_state(v1::CHECKPOINT_STATE_READY);
  checkpoint.set_pid(4711);
  checkpoint.set_command("redis-server *:6379");
  checkpoint.set_created_us(1'700'000'000'000'000);
  checkpoint.set_size_bytes(14'050'918);
  return checkpoint;
}

v1::Container SomeContainer(const std::string& id) {
  v1::Container container;
  container.set_id(id);
  container.set_name("web");
  container.set_state(v1::CONTAINER_STATE_RUNNING);
  container.set_pid(815);
  container.set_command("sh -c loop");
  return container;
}

Status NotFound(const std::string& what) {
  return Refusal(StatusCode::NOT_FOUND, what + "_NOT_FOUND", "no " + what);
}

TEST_F(Commands, ListShowsATableOfCheckpoints) {
  answers_.list_checkpoints = [](ServerContext&, const v1::ListRequest& request,
                                 v1::ListCheckpointsResponse& response) {
    EXPECT_FALSE(request.all());
    *response.add_checkpoints() = SomeCheckpoint("4f2a");
    return Status::OK;
  };
  const Outcome outcome = Run({"list"});
  EXPECT_EQ(outcome.status, kDone) << outcome.err;
  EXPECT_THAT(outcome.out, AllOf(HasSubstr("ID    NAME            STATE"), HasSubstr("\n4f2a  "),
                                 HasSubstr("13.4 MiB"), HasSubstr("redis-server *:6379\n")));
  EXPECT_EQ(Run({"ls"}).out, outcome.out);
}

TEST_F(Commands, ListTakesAllPages) {
  answers_.list_checkpoints = [](ServerContext&, const v1::ListRequest& request,
                                 v1::ListCheckpointsResponse& response) {
    EXPECT_TRUE(request.all());
    const bool first = request.page_token().empty();
    *response.add_checkpoints() = SomeCheckpoint(first ? "4f2a" : "77c0");
    if (first) response.set_next_page_token("more");
    return Status::OK;
  };
  EXPECT_EQ(Run({"list", "--all", "--quiet"}).out, "4f2a\n77c0\n");
  const std::string json = Run({"list", "--all", "--json"}).out;
  EXPECT_THAT(json,
              AllOf(HasSubstr("4f2a"), HasSubstr("77c0"), HasSubstr(R"("next_page_token":"")")));
  EXPECT_EQ(std::count(json.begin(), json.end(), '\n'), 1);
}

TEST_F(Commands, PsShowsHowContainersEnded) {
  answers_.list_containers = [](ServerContext&, const v1::ListRequest&,
                                v1::ListContainersResponse& response) {
    *response.add_containers() = SomeContainer("aaaa");
    v1::Container& ended = *response.add_containers();
    ended = SomeContainer("bbbb");
    ended.set_state(v1::CONTAINER_STATE_EXITED);
    ended.set_ended_us(1'700'000'000'000'000);
    ended.mutable_exit()->set_signal(9);
    v1::Container& checkpointed = *response.add_containers();
    checkpointed = SomeContainer("cccc");
    checkpointed.set_state(v1::CONTAINER_STATE_CHECKPOINTED);
    checkpointed.set_ended_us(1'700'000'000'000'000);
    return Status::OK;
  };
  const Outcome outcome = Run({"ps", "--all"});
  EXPECT_THAT(outcome.out,
              AllOf(HasSubstr("running"), HasSubstr("exited"), HasSubstr("signal KILL"),
                    HasSubstr("815"), Not(HasSubstr("unknown"))));
  EXPECT_EQ(Run({"ps", "-q"}).out, "aaaa\nbbbb\ncccc\n");
}

TEST_F(Commands, ShowTellsEverythingAboutACheckpoint) {
  answers_.get_checkpoint = [](ServerContext&, const v1::GetRequest& request,
                               v1::Checkpoint& checkpoint) {
    EXPECT_EQ(request.key(), "before-upgrade");
    checkpoint = SomeCheckpoint("4f2a");
    checkpoint.mutable_options()->set_tcp_established(true);
    checkpoint.mutable_options()->set_ghost_limit(2U << 20U);
    checkpoint.mutable_statistics()->set_frozen_us(4200);
    v1::StageTime& stage = *checkpoint.add_stages();
    stage.set_stage("dump");
    stage.set_micros(13'400);
    checkpoint.add_restored_container_ids("77c0");
    checkpoint.mutable_rootfs_diff()->set_base("/srv/base");
    checkpoint.mutable_rootfs_diff()->set_size_bytes(3U << 20U);
    return Status::OK;
  };
  const Outcome outcome = Run({"show", "before-upgrade"});
  EXPECT_EQ(outcome.status, kDone) << outcome.err;
  EXPECT_THAT(outcome.out,
              AllOf(HasSubstr("4f2a"), HasSubstr("--tcp-established --ghost-limit 2.0 MiB"),
                    HasSubstr("frozen for 4.2 ms"), HasSubstr("dump 13.4 ms"),
                    HasSubstr("restored as:  77c0"), HasSubstr("3.0 MiB, against /srv/base")));
}

TEST_F(Commands, ShowLooksForAContainerAndAnOperationToo) {
  answers_.get_checkpoint = [](ServerContext&, const v1::GetRequest&, v1::Checkpoint&) {
    return NotFound("CHECKPOINT");
  };
  answers_.get_container = [](ServerContext&, const v1::GetRequest& request,
                              v1::Container& container) {
    if (request.key() != "web") return NotFound("CONTAINER");
    container = SomeContainer("77c0");
    return Status::OK;
  };
  answers_.get_operation = [](ServerContext&, const v1::GetRequest& request,
                              v1::Operation& operation) {
    if (request.key() != "0b5e") return NotFound("OPERATION");
    operation.set_id("0b5e");
    operation.set_state(v1::OPERATION_STATE_FAILED);
    operation.mutable_error()->set_message("the dump failed");
    return Status::OK;
  };
  EXPECT_THAT(Run({"show", "web"}).out, HasSubstr("container:  77c0"));
  EXPECT_THAT(Run({"show", "0b5e"}).out, HasSubstr("the dump failed"));
  const Outcome nothing = Run({"show", "nothing"});
  EXPECT_EQ(nothing.status, kFailed);
  EXPECT_THAT(nothing.err, HasSubstr("is called 'nothing'"));
}

TEST_F(Commands, ShowDoesNotLookFurtherAfterAnotherRefusal) {
  answers_.get_checkpoint = [](ServerContext&, const v1::GetRequest&, v1::Checkpoint&) {
    return Refusal(StatusCode::INVALID_ARGUMENT, "KEY_AMBIGUOUS", "'4' may mean more than one");
  };
  const Outcome outcome = Run({"show", "4"});
  EXPECT_EQ(outcome.status, kFailed);
  EXPECT_EQ(outcome.err, "crctl: '4' may mean more than one\n");
}

TEST_F(Commands, EventsAreOneLineEach) {
  answers_.watch = [](ServerContext&, const v1::WatchRequest& request,
                      grpc::ServerWriter<v1::Event>& writer) {
    EXPECT_FALSE(request.follow());
    EXPECT_FALSE(request.from_now());
    EXPECT_EQ(request.after_sequence(), 6);
    for (const int sequence : {7, 8}) {
      v1::Event event;
      event.set_sequence(sequence);
      event.set_subject("checkpoint");
      event.set_id("4f2a");
      event.set_change("ready");
      writer.Write(event);
    }
    return Status::OK;
  };
  const Outcome text = Run({"events", "--since", "6"});
  EXPECT_EQ(text.status, kDone) << text.err;
  EXPECT_EQ(std::count(text.out.begin(), text.out.end(), '\n'), 2);
  EXPECT_THAT(text.out, HasSubstr("checkpoint  4f2a              ready\n"));
  const Outcome json = Run({"events", "--since", "6", "--json"});
  EXPECT_EQ(std::count(json.out.begin(), json.out.end(), '\n'), 2);
  EXPECT_THAT(json.out, HasSubstr(R"({"sequence":"7")"));
}

TEST_F(Commands, EventsFollowFromNowOnUnlessANumberIsGiven) {
  std::vector<bool> from_now;
  answers_.watch = [&](ServerContext&, const v1::WatchRequest& request,
                       grpc::ServerWriter<v1::Event>&) {
    EXPECT_TRUE(request.follow());
    from_now.push_back(request.from_now());
    return Status::OK;
  };
  (void)Run({"events", "--follow"});
  (void)Run({"events", "--follow", "--since", "0"});
  EXPECT_THAT(from_now, ElementsAre(true, false));
}

TEST_F(Commands, EventsGoOnWhereTheyWereWhenCrdIsReplaced) {
  std::vector<std::int64_t> after;
  answers_.watch = [&](ServerContext& context, const v1::WatchRequest& request,
                       grpc::ServerWriter<v1::Event>& writer) {
    after.push_back(request.from_now() ? -1 : request.after_sequence());
    if (after.size() == 3) return Status::OK;
    context.AddInitialMetadata("crd-after-sequence", "6");
    writer.SendInitialMetadata();
    v1::Event event;
    event.set_sequence(9);
    if (after.size() == 2) writer.Write(event);
    return Status(StatusCode::UNAVAILABLE, "Socket closed");
  };
  EXPECT_EQ(Run({"events", "--follow"}).status, kDone);
  // From now on; then from there, though nothing has happened yet; then from what has.
  EXPECT_THAT(after, ElementsAre(-1, 6, 9));
}

TEST_F(Commands, WaitTellsOfACrdThatStaysAway) {
  std::optional<Deadline> back;
  answers_.wait = [&](ServerContext&, const v1::WaitRequest&, v1::Container& container) {
    if (!back) back = SteadyClock::now() + std::chrono::seconds(4);
    if (SteadyClock::now() < *back) return Status(StatusCode::UNAVAILABLE, "Socket closed");
    container = SomeContainer("77c0");
    container.mutable_exit()->set_code(7);
    return Status::OK;
  };
  const Outcome outcome = Run({"wait", "web"});
  EXPECT_EQ(outcome.out, "7\n");
  EXPECT_THAT(outcome.err, HasSubstr("crd has gone; waiting for it to come back"));
}

TEST_F(Commands, WaitPrintsHowItEnded) {
  v1::Container ended = SomeContainer("77c0");
  answers_.wait = [&](ServerContext&, const v1::WaitRequest& request, v1::Container& container) {
    EXPECT_EQ(request.container(), "web");
    container = ended;
    return Status::OK;
  };
  EXPECT_EQ(Run({"wait", "web"}).out, "unknown\n");
  ended.mutable_exit()->set_code(7);
  EXPECT_EQ(Run({"wait", "web"}).out, "7\n");
  ended.mutable_exit()->set_signal(15);
  const Outcome killed = Run({"wait", "web"});
  EXPECT_EQ(killed.out, "signal TERM\n");
  EXPECT_EQ(killed.status, kDone);
}

TEST_F(Commands, WaitGivesUpWhenTheTimeIsOver) {
  answers_.wait = [](ServerContext& context, const v1::WaitRequest&, v1::Container&) {
    EXPECT_TRUE(Eventually([&] { return context.IsCancelled(); }));
    return Status::CANCELLED;
  };
  const Outcome outcome = Run({"wait", "web", "--timeout", "30ms"});
  EXPECT_EQ(outcome.status, kFailed);
  EXPECT_THAT(outcome.err, HasSubstr("has not ended"));
}

TEST_F(Commands, KillSendsTheSignalThatWasNamed) {
  std::vector<int> signals;
  answers_.signal = [&](ServerContext&, const v1::SignalRequest& request, v1::SignalResponse&) {
    EXPECT_EQ(request.container(), "web");
    signals.push_back(request.signal());
    return Status::OK;
  };
  EXPECT_EQ(Run({"kill", "web"}).out, "");
  EXPECT_EQ(Run({"kill", "-s", "KILL", "web"}).status, kDone);
  EXPECT_EQ(Run({"kill", "web", "--signal", "10"}).status, kDone);
  EXPECT_THAT(signals, ElementsAre(15, 9, 10));
}

TEST_F(Commands, RmGoesOnAfterARefusal) {
  std::vector<std::string> request_ids;
  answers_.remove = [&](ServerContext&, const v1::DeleteRequest& request,
                        v1::DeleteResponse& response) {
    request_ids.push_back(request.request_id());
    if (request.checkpoint() == "b") return NotFound("CHECKPOINT");
    response.set_id(request.checkpoint() + request.checkpoint());
    return Status::OK;
  };
  const Outcome outcome = Run({"rm", "a", "b", "c"});
  EXPECT_EQ(outcome.status, kFailed);
  EXPECT_EQ(outcome.out, "aa\ncc\n");
  EXPECT_EQ(outcome.err, "crctl: no CHECKPOINT\n");
  ASSERT_EQ(request_ids.size(), 3U);
  EXPECT_EQ(request_ids[0].size(), 16U);
  EXPECT_NE(request_ids[0], request_ids[2]);
}

TEST_F(Commands, AsksAgainWithTheSameRequestIdWhenCrdGoesAway) {
  std::vector<std::string> request_ids;
  answers_.forget = [&](ServerContext&, const v1::ForgetRequest& request, v1::ForgetResponse&) {
    request_ids.push_back(request.request_id());
    if (request_ids.size() < 3) return Status(StatusCode::UNAVAILABLE, "Socket closed");
    return Status::OK;
  };
  const Outcome outcome = Run({"forget", "web"});
  EXPECT_EQ(outcome.status, kDone) << outcome.err;
  EXPECT_THAT(request_ids, ElementsAre(request_ids[0], request_ids[0], request_ids[0]));
}

TEST_F(Commands, RmTakesNotFoundForDoneWhenItHadToAskAgain) {
  int calls = 0;
  answers_.remove = [&](ServerContext&, const v1::DeleteRequest&, v1::DeleteResponse&) {
    if (++calls == 1) return Status(StatusCode::UNAVAILABLE, "Socket closed");
    return NotFound("CHECKPOINT");
  };
  const Outcome outcome = Run({"rm", "4f2a"});
  EXPECT_EQ(outcome.status, kDone) << outcome.err;
  EXPECT_EQ(outcome.out, "4f2a\n");
}

TEST_F(Commands, AsksTheNextCrdWhenTheLastOneTurnedTheCallAway) {
  int calls = 0;
  answers_.remove = [&](ServerContext&, const v1::DeleteRequest&, v1::DeleteResponse&) {
    return ++calls == 1 ? Status(StatusCode::CANCELLED, "") : Status::OK;
  };
  const Outcome outcome = Run({"rm", "4f2a"});
  EXPECT_EQ(outcome.status, kDone) << outcome.err;
  EXPECT_EQ(calls, 2);
}

TEST_F(Commands, DoesNotRepeatASignal) {
  int calls = 0;
  answers_.signal = [&](ServerContext&, const v1::SignalRequest&, v1::SignalResponse&) {
    ++calls;
    return Status(StatusCode::UNAVAILABLE, "Socket closed");
  };
  EXPECT_EQ(Run({"kill", "web"}).status, kNoDaemon);
  EXPECT_EQ(calls, 1);
}

TEST_F(Commands, CheckTellsEveryObstacleByName) {
  answers_.check = [](ServerContext&, const v1::CheckRequest& request,
                      v1::CheckResponse& response) {
    EXPECT_EQ(request.pid(), 4711);
    EXPECT_TRUE(request.options().file_locks());
    v1::Obstacle& obstacle = *response.add_obstacles();
    obstacle.set_reason("IO_URING");
    obstacle.set_pid(4712);
    obstacle.set_message("it uses io_uring");
    obstacle.set_hint("turn it off");
    return Status::OK;
  };
  const Outcome outcome = Run({"check", "--pid", "4711", "--file-locks"});
  EXPECT_EQ(outcome.status, kFailed);
  EXPECT_EQ(outcome.out, "IO_URING (pid 4712): it uses io_uring\n  hint: turn it off\n");
}

TEST_F(Commands, CheckLooksForACheckpointThenForAContainer) {
  answers_.check = [](ServerContext&, const v1::CheckRequest& request, v1::CheckResponse&) {
    if (request.target_case() == v1::CheckRequest::kCheckpoint && request.checkpoint() == "cp") {
      return Status::OK;
    }
    if (request.target_case() == v1::CheckRequest::kContainer && request.container() == "web") {
      return Status::OK;
    }
    return NotFound("TARGET");
  };
  EXPECT_EQ(Run({"check", "cp"}).status, kDone);
  EXPECT_EQ(Run({"check", "web"}).status, kDone);
  EXPECT_EQ(Run({"check", "other"}).status, kFailed);
}

TEST_F(Commands, VerifyTellsWhatIsDamaged) {
  bool damaged = false;
  answers_.verify = [&](ServerContext&, const v1::VerifyRequest&, v1::VerifyResponse& response) {
    *response.mutable_checkpoint() = SomeCheckpoint("4f2a");
    if (damaged) response.add_damages()->set_message("pages-1.img has another digest");
    return Status::OK;
  };
  EXPECT_EQ(Run({"verify", "4f2a"}).out, "4f2a\n");
  damaged = true;
  const Outcome outcome = Run({"verify", "4f2a"});
  EXPECT_EQ(outcome.status, kFailed);
  EXPECT_EQ(outcome.out, "pages-1.img has another digest\n");
}

TEST_F(Commands, InfoTellsAboutTheDaemon) {
  answers_.info = [](ServerContext&, const v1::InfoRequest&, v1::InfoResponse& response) {
    response.set_version("9.9");
    response.set_criu_version("4.1");
    response.set_criu_path("/opt/crd/criu/bin/criu");
    return Status::OK;
  };
  EXPECT_THAT(Run({"info"}).out,
              AllOf(HasSubstr("9.9"), HasSubstr("4.1 (/opt/crd/criu/bin/criu)")));
  EXPECT_THAT(Run({"--json", "info"}).out, HasSubstr(R"("criu_version":"4.1")"));
}

TEST_F(Commands, SayWhatAnOldDaemonDoesNotKnow) {
  const Outcome outcome = Run({"info"});
  EXPECT_EQ(outcome.status, kFailed);
  EXPECT_THAT(outcome.err, HasSubstr("does not know the call"));
}

}  // namespace
}  // namespace crd::client
