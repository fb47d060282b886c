#include <chrono>
#include <csignal>
#include <fstream>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include <api/v1/services.grpc.pb.h>
#include <grpcpp/create_channel_posix.h>
#include <grpcpp/grpcpp.h>
#include <grpcpp/server_posix.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "daemon/rpc/call_log.h"
#include "daemon/rpc/checkpoint_service.h"
#include "daemon/rpc/container_service.h"
#include "daemon/rpc/image_service.h"
#include "daemon/rpc/list_service.h"
#include "daemon/rpc/peer.h"
#include "daemon/rpc/restore_service.h"
#include "daemon/rpc/system_service.h"
#include "tests/fakes/engine_world.h"
#include "tests/support/result_matchers.h"

namespace crd::rpc {
namespace {

using crd::testing::CriuStep;
using crd::testing::EngineWorld;
using crd::testing::FakeCriu;

constexpr auto kPatience = std::chrono::seconds(10);

v1::Error DetailsOf(const grpc::Status& status) {
  v1::Error details;
  details.ParseFromString(status.error_details());
  return details;
}

// A call with its deadline: a test that waits for ever helps nobody.
std::unique_ptr<grpc::ClientContext> NewCall() {
  auto context = std::make_unique<grpc::ClientContext>();
  context->set_deadline(std::chrono::system_clock::now() + 2 * kPatience);
  return context;
}

// What a streaming call gave.
template <typename Response>
struct Streamed {
  std::vector<v1::Progress> progress;
  std::optional<Response> last;
  grpc::Status status;
};

template <typename Response>
Streamed<Response> ReadAll(grpc::ClientReader<Response>& reader) {
  Streamed<Response> all;
  Response response;
  while (reader.Read(&response)) {
    if (response.has_progress()) {
      all.progress.push_back(response.progress());
    } else {
      all.last = response;
    }
  }
  all.status = reader.Finish();
  return all;
}

// All services over an engine, and a client of them in this process.
class ServicesTest : public ::testing::Test {
 protected:
  void SetUp() override {
    auto world = EngineWorld::Create();
    if (!world.ok()) GTEST_SKIP() << "no cgroup of its own: " << world.error().message;
    world_ = std::move(*world);
    ASSERT_OK_AND_ASSIGN(peers_, PeerTable::Create());
    calls_.emplace(*peers_);
    Engine& engine = world_->engine();
    checkpoint_service_.emplace(engine, *calls_);
    restore_service_.emplace(engine, *calls_, *peers_);
    list_service_.emplace(engine, *calls_);
    container_service_.emplace(engine, *calls_);
    image_service_.emplace(engine, *calls_);
    system_service_.emplace(engine, *calls_);
    grpc::ServerBuilder builder;
    for (grpc::Service* service :
         std::vector<grpc::Service*>{&*checkpoint_service_, &*restore_service_, &*list_service_,
                                     &*container_service_, &*image_service_, &*system_service_}) {
      builder.RegisterService(service);
    }
    server_ = builder.BuildAndStart();
    ASSERT_NE(server_, nullptr);
    Connect(server_->InProcessChannel({}));
  }

  void Connect(const std::shared_ptr<grpc::Channel>& channel) {
    checkpoints_ = v1::CheckpointService::NewStub(channel);
    restores_ = v1::RestoreService::NewStub(channel);
    lists_ = v1::ListService::NewStub(channel);
    containers_ = v1::ContainerService::NewStub(channel);
    images_ = v1::ImageService::NewStub(channel);
    system_ = v1::SystemService::NewStub(channel);
  }

  // From now on over a socket, whose other end is this process.
  void ConnectBySocket() {
    int ends[2] = {-1, -1};
    ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends), 0);
    UniqueFd client(ends[0]);
    UniqueFd server(ends[1]);
    ASSERT_OK_AND_ASSIGN(Peer peer, ReadPeer(server.ref()));
    ASSERT_OK_AND_ASSIGN(UniqueFd socket, peers_->Add(std::move(server), std::move(peer)));
    grpc::AddInsecureChannelFromFd(server_.get(), socket.release());
    Connect(grpc::CreateInsecureChannelFromFd("crd", client.release()));
  }

  void TearDown() override {
    if (server_ != nullptr) server_->Shutdown(std::chrono::system_clock::now());
  }

  FakeCriu& criu() { return world_->criu(); }

  Streamed<v1::CheckpointResponse> Checkpoint(const v1::CheckpointRequest& request) {
    const auto context = NewCall();
    const auto reader = checkpoints_->Checkpoint(context.get(), request);
    return ReadAll(*reader);
  }

  Streamed<v1::RestoreResponse> Restore(const v1::RestoreRequest& request) {
    const auto context = NewCall();
    const auto reader = restores_->Restore(context.get(), request);
    return ReadAll(*reader);
  }

  // A checkpoint of a victim that has ended and is reaped; its id.
  std::string MakeCheckpoint(const std::string& name = "") {
    auto victim = world_->StartVictim();
    EXPECT_TRUE(victim.ok());
    v1::CheckpointRequest request;
    request.set_pid(victim->pid());
    request.set_name(name);
    const auto made = Checkpoint(request);
    EXPECT_TRUE(made.status.ok()) << made.status.error_message();
    if (!made.last.has_value()) return "";
    EXPECT_TRUE(victim->Wait(SteadyClock::now() + kPatience).ok());
    return made.last->checkpoint().id();
  }

  v1::Container MakeContainer(const std::string& name = "") {
    v1::RestoreRequest request;
    request.set_checkpoint(MakeCheckpoint());
    request.set_name(name);
    const auto restored = Restore(request);
    EXPECT_TRUE(restored.status.ok()) << restored.status.error_message();
    return restored.last.has_value() ? restored.last->container() : v1::Container();
  }

  v1::Checkpoint GetCheckpoint(const std::string& key) {
    v1::GetRequest request;
    request.set_key(key);
    v1::Checkpoint checkpoint;
    const auto context = NewCall();
    const auto status = lists_->GetCheckpoint(context.get(), request, &checkpoint);
    EXPECT_TRUE(status.ok()) << status.error_message();
    return checkpoint;
  }

  std::vector<std::string> ListedCheckpoints(bool all) {
    v1::ListRequest request;
    request.set_all(all);
    v1::ListCheckpointsResponse response;
    const auto context = NewCall();
    EXPECT_TRUE(lists_->ListCheckpoints(context.get(), request, &response).ok());
    std::vector<std::string> ids;
    for (const auto& checkpoint : response.checkpoints()) ids.push_back(checkpoint.id());
    return ids;
  }

  std::vector<v1::Operation> ListedOperations(bool all) {
    v1::ListRequest request;
    request.set_all(all);
    v1::ListOperationsResponse response;
    const auto context = NewCall();
    EXPECT_TRUE(lists_->ListOperations(context.get(), request, &response).ok());
    return {response.operations().begin(), response.operations().end()};
  }

  grpc::Status Wait(const std::string& key, v1::Container& container) {
    v1::WaitRequest request;
    request.set_container(key);
    const auto context = NewCall();
    return containers_->Wait(context.get(), request, &container);
  }

  grpc::Status Signal(const std::string& key, int signal) {
    v1::SignalRequest request;
    request.set_container(key);
    request.set_signal(signal);
    v1::SignalResponse response;
    const auto context = NewCall();
    return containers_->Signal(context.get(), request, &response);
  }

  std::unique_ptr<EngineWorld> world_;
  std::unique_ptr<PeerTable> peers_;
  std::optional<CallLog> calls_;
  std::optional<CheckpointService> checkpoint_service_;
  std::optional<RestoreService> restore_service_;
  std::optional<ListService> list_service_;
  std::optional<ContainerService> container_service_;
  std::optional<ImageService> image_service_;
  std::optional<SystemService> system_service_;
  std::unique_ptr<grpc::Server> server_;
  std::unique_ptr<v1::CheckpointService::Stub> checkpoints_;
  std::unique_ptr<v1::RestoreService::Stub> restores_;
  std::unique_ptr<v1::ListService::Stub> lists_;
  std::unique_ptr<v1::ContainerService::Stub> containers_;
  std::unique_ptr<v1::ImageService::Stub> images_;
  std::unique_ptr<v1::SystemService::Stub> system_;
};

TEST_F(ServicesTest, CheckpointAnswersWithTheReadyCheckpoint) {
  ASSERT_OK_AND_ASSIGN(Child victim, world_->StartVictim());
  v1::CheckpointRequest request;
  request.set_pid(victim.pid());
  request.set_name("one");
  const auto made = Checkpoint(request);
  ASSERT_TRUE(made.status.ok()) << made.status.error_message();
  ASSERT_TRUE(made.last.has_value());
  const v1::Checkpoint& checkpoint = made.last->checkpoint();
  EXPECT_EQ(checkpoint.state(), v1::CHECKPOINT_STATE_READY);
  EXPECT_EQ(checkpoint.name(), "one");
  EXPECT_EQ(checkpoint.pid(), victim.pid());
  EXPECT_EQ(checkpoint.statistics().frozen_us(), 200U);
  struct stat status {};
  EXPECT_EQ(::stat((checkpoint.directory() + "/images/pages-1.img").c_str(), &status), 0);
  EXPECT_TRUE(victim.process().HasExited()) << "the tree is in the checkpoint now";
}

TEST_F(ServicesTest, CheckpointThatTakesTimeShowsItsProgress) {
  ASSERT_OK_AND_ASSIGN(const Child victim, world_->StartVictim());
  criu().HangAt(CriuStep::kImagesHalf);
  v1::CheckpointRequest request;
  request.set_pid(victim.pid());
  const auto context = NewCall();
  const auto reader = checkpoints_->Checkpoint(context.get(), request);
  v1::CheckpointResponse response;
  do {
    ASSERT_TRUE(reader->Read(&response));
    ASSERT_TRUE(response.has_progress());
    EXPECT_FALSE(response.progress().operation_id().empty());
  } while (response.progress().stage() != "dump");
  criu().Release(CriuStep::kImagesHalf);
  const auto rest = ReadAll(*reader);
  EXPECT_TRUE(rest.status.ok()) << rest.status.error_message();
  EXPECT_TRUE(rest.last.has_value());
}

TEST_F(ServicesTest, CheckpointOfATreeThatRunsOnLeavesItRunning) {
  ASSERT_OK_AND_ASSIGN(const Child victim, world_->StartVictim());
  v1::CheckpointRequest request;
  request.set_pid(victim.pid());
  request.mutable_options()->set_leave_running(true);
  const auto made = Checkpoint(request);
  ASSERT_TRUE(made.status.ok()) << made.status.error_message();
  EXPECT_FALSE(victim.process().HasExited());
}

TEST_F(ServicesTest, FailureTellsWhatCriuSaid) {
  ASSERT_OK_AND_ASSIGN(const Child victim, world_->StartVictim());
  criu().FailAt(CriuStep::kImagesComplete, {.code = Code::kFailedPrecondition,
                                            .reason = "CRIU_ODD",
                                            .message = "odd",
                                            .hint = "even it out",
                                            .log_lines = {"Error (odd.c:1): odd"}});
  v1::CheckpointRequest request;
  request.set_pid(victim.pid());
  const auto made = Checkpoint(request);
  EXPECT_FALSE(made.last.has_value());
  EXPECT_EQ(made.status.error_code(), grpc::StatusCode::FAILED_PRECONDITION);
  const v1::Error details = DetailsOf(made.status);
  EXPECT_EQ(details.reason(), "CRIU_ODD");
  EXPECT_EQ(details.hint(), "even it out");
  EXPECT_EQ(details.stage(), "dump");
  ASSERT_EQ(details.log_lines_size(), 1);
  EXPECT_EQ(details.log_lines(0), "Error (odd.c:1): odd");
  EXPECT_FALSE(victim.process().HasExited()) << "it runs on";
}

TEST_F(ServicesTest, TheLongestFailureReachesTheClient) {
  ASSERT_OK_AND_ASSIGN(const Child victim, world_->StartVictim());
  criu().FailAt(CriuStep::kImagesComplete,
                {.code = Code::kInternal,
                 .reason = "CRIU_LOUD",
                 .message = std::string(20'000, 'm'),
                 .log_lines = std::vector<std::string>(200, std::string(500, 'l'))});
  v1::CheckpointRequest request;
  request.set_pid(victim.pid());
  const auto made = Checkpoint(request);
  EXPECT_EQ(made.status.error_code(), grpc::StatusCode::INTERNAL);
  EXPECT_EQ(DetailsOf(made.status).reason(), "CRIU_LOUD");
}

TEST_F(ServicesTest, ClientThatGoesAwayRollsTheCheckpointBack) {
  ASSERT_OK_AND_ASSIGN(const Child victim, world_->StartVictim());
  criu().HangAt(CriuStep::kImagesHalf);
  v1::CheckpointRequest request;
  request.set_pid(victim.pid());
  const auto context = NewCall();
  const auto reader = checkpoints_->Checkpoint(context.get(), request);
  ASSERT_TRUE(criu().AwaitStep(CriuStep::kImagesHalf));
  context->TryCancel();
  EXPECT_EQ(ReadAll(*reader).status.error_code(), grpc::StatusCode::CANCELLED);
  world_->engine().Drain(SteadyClock::now() + kPatience);
  EXPECT_FALSE(victim.process().HasExited());
  EXPECT_TRUE(ListedCheckpoints(/*all=*/false).empty());
  EXPECT_EQ(ListedCheckpoints(/*all=*/true).size(), 1U) << "it failed, and says why";
}

TEST_F(ServicesTest, SameRequestIdIsTheSameCheckpoint) {
  ASSERT_OK_AND_ASSIGN(const Child victim, world_->StartVictim());
  v1::CheckpointRequest request;
  request.set_pid(victim.pid());
  request.set_request_id("once");
  const auto first = Checkpoint(request);
  const auto second = Checkpoint(request);
  ASSERT_TRUE(first.last.has_value());
  ASSERT_TRUE(second.last.has_value()) << second.status.error_message();
  EXPECT_EQ(first.last->checkpoint().id(), second.last->checkpoint().id());
  EXPECT_EQ(criu().dumps(), 1);
}

TEST_F(ServicesTest, RequestWithoutMeaningIsRefusedByName) {
  EXPECT_EQ(DetailsOf(Checkpoint({}).status).reason(), "INVALID_REQUEST");
  EXPECT_EQ(DetailsOf(Restore({}).status).reason(), "INVALID_REQUEST");
  EXPECT_EQ(DetailsOf(Signal("", SIGTERM)).reason(), "INVALID_REQUEST");
  EXPECT_EQ(DetailsOf(Signal("web", 65)).reason(), "INVALID_REQUEST");
  v1::Container container;
  EXPECT_EQ(DetailsOf(Wait("", container)).reason(), "INVALID_REQUEST");
  EXPECT_EQ(DetailsOf(Wait("nobody", container)).reason(), "CONTAINER_NOT_FOUND");
}

TEST_F(ServicesTest, CheckNamesEveryObstacle) {
  ASSERT_OK_AND_ASSIGN(const Child victim, world_->StartVictim());
  v1::CheckRequest request;
  request.set_pid(victim.pid());
  v1::CheckResponse response;
  const auto fine = NewCall();
  ASSERT_TRUE(checkpoints_->Check(fine.get(), request, &response).ok());
  EXPECT_EQ(response.obstacles_size(), 0);
  request.set_pid(-1);
  const auto odd = NewCall();
  EXPECT_FALSE(checkpoints_->Check(odd.get(), request, &response).ok());
}

TEST_F(ServicesTest, RestoreAnswersWithTheRunningContainer) {
  const std::string checkpoint = MakeCheckpoint();
  v1::RestoreRequest request;
  request.set_checkpoint(checkpoint);
  request.set_name("back");
  const auto restored = Restore(request);
  ASSERT_TRUE(restored.status.ok()) << restored.status.error_message();
  ASSERT_TRUE(restored.last.has_value());
  const v1::Container& container = restored.last->container();
  EXPECT_EQ(container.state(), v1::CONTAINER_STATE_RUNNING);
  EXPECT_EQ(container.name(), "back");
  EXPECT_EQ(container.parent_checkpoint_id(), checkpoint);
  const v1::Checkpoint parent = GetCheckpoint(checkpoint);
  ASSERT_EQ(parent.restored_container_ids_size(), 1);
  EXPECT_EQ(parent.restored_container_ids(0), container.id());
}

TEST_F(ServicesTest, RestoreThatInheritsNeedsACallerWithAProcess) {
  v1::RestoreRequest request;
  request.set_checkpoint(MakeCheckpoint());
  request.mutable_inherit();
  // This channel has no socket, and so no peer.
  EXPECT_EQ(DetailsOf(Restore(request).status).reason(), "CALLER_GONE");
}

TEST_F(ServicesTest, RestoreThatInheritsGetsTheCallersDescriptors) {
  int ends[2] = {-1, -1};
  ASSERT_EQ(::pipe2(ends, O_CLOEXEC), 0);
  const UniqueFd reader(ends[0]);
  const UniqueFd writer(ends[1]);
  ASSERT_OK_AND_ASSIGN(Child victim, world_->StartVictim(writer.ref()));
  v1::CheckpointRequest dump;
  dump.set_pid(victim.pid());
  const auto made = Checkpoint(dump);
  ASSERT_TRUE(made.last.has_value()) << made.status.error_message();
  ASSERT_TRUE(victim.Wait(SteadyClock::now() + kPatience).ok());
  ASSERT_NO_FATAL_FAILURE(ConnectBySocket());
  v1::RestoreRequest request;
  request.set_checkpoint(made.last->checkpoint().id());
  request.mutable_inherit();
  const auto restored = Restore(request);
  ASSERT_TRUE(restored.status.ok()) << restored.status.error_message();
  struct stat ours {};
  ASSERT_EQ(::fstat(STDOUT_FILENO, &ours), 0);
  const auto seen = criu().restores();
  ASSERT_EQ(seen.size(), 1U);
  ASSERT_EQ(seen[0].inherit.size(), 1U);
  EXPECT_EQ(seen[0].inherit[0].second, ours.st_ino) << "standard output, in the pipe's place";
}

TEST_F(ServicesTest, WaitTellsBySignalHowTheContainerEnded) {
  const std::string id = MakeContainer("web").id();
  v1::Container ended;
  grpc::Status status;
  std::thread waiter([&] { status = Wait("web", ended); });
  const grpc::Status signalled = Signal("web", SIGTERM);
  waiter.join();
  EXPECT_TRUE(signalled.ok()) << signalled.error_message();
  ASSERT_TRUE(status.ok()) << status.error_message();
  EXPECT_EQ(ended.id(), id);
  EXPECT_EQ(ended.state(), v1::CONTAINER_STATE_EXITED);
  EXPECT_EQ(ended.exit().signal(), SIGTERM);
}

TEST_F(ServicesTest, WaitTellsWithWhatCodeTheContainerEnded) {
  criu().set_restored_program({"/bin/sh", "-c", "exit 3"});
  v1::Container ended;
  const grpc::Status status = Wait(MakeContainer().id(), ended);
  ASSERT_TRUE(status.ok()) << status.error_message();
  EXPECT_EQ(ended.exit().code(), 3);
}

TEST_F(ServicesTest, WaitEndsWhenTheClientLeaves) {
  v1::WaitRequest request;
  request.set_container(MakeContainer().id());
  v1::Container container;
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + std::chrono::milliseconds(50));
  EXPECT_EQ(containers_->Wait(&context, request, &container).error_code(),
            grpc::StatusCode::DEADLINE_EXCEEDED);
  // Waits for the handler, which has to notice on its own.
  const auto began = SteadyClock::now();
  server_->Shutdown(std::chrono::system_clock::now() + kPatience);
  EXPECT_LT(SteadyClock::now() - began, std::chrono::seconds(2));
}

TEST_F(ServicesTest, OnlyAContainerThatEndedIsForgotten) {
  const std::string id = MakeContainer().id();
  v1::ForgetRequest request;
  request.set_container(id);
  v1::ForgetResponse response;
  const auto early = NewCall();
  EXPECT_EQ(DetailsOf(containers_->Forget(early.get(), request, &response)).reason(),
            "CONTAINER_LIVE");
  ASSERT_TRUE(Signal(id, SIGKILL).ok());
  v1::Container ended;
  ASSERT_TRUE(Wait(id, ended).ok());
  const auto late = NewCall();
  EXPECT_TRUE(containers_->Forget(late.get(), request, &response).ok());
  EXPECT_EQ(DetailsOf(Wait(id, ended)).reason(), "CONTAINER_NOT_FOUND");
}

TEST_F(ServicesTest, ListsShowWhatCountsUnlessAskedForAll) {
  const std::string good = MakeCheckpoint();
  criu().FailAt(CriuStep::kImagesHalf, {.code = Code::kInternal, .message = "no"});
  ASSERT_OK_AND_ASSIGN(const Child victim, world_->StartVictim());
  v1::CheckpointRequest request;
  request.set_pid(victim.pid());
  EXPECT_FALSE(Checkpoint(request).status.ok());
  EXPECT_EQ(ListedCheckpoints(/*all=*/false), std::vector<std::string>{good});
  EXPECT_EQ(ListedCheckpoints(/*all=*/true).size(), 2U);
  EXPECT_TRUE(ListedOperations(/*all=*/false).empty());
  EXPECT_EQ(ListedOperations(/*all=*/true).size(), 2U);
}

TEST_F(ServicesTest, ContainersThatEndedAreListedWhenAllAreAskedFor) {
  const std::string id = MakeContainer().id();
  v1::ListRequest request;
  v1::ListContainersResponse current;
  const auto first = NewCall();
  ASSERT_TRUE(lists_->ListContainers(first.get(), request, &current).ok());
  ASSERT_EQ(current.containers_size(), 1) << "the one that was checkpointed is no more";
  EXPECT_EQ(current.containers(0).id(), id);
  request.set_all(true);
  v1::ListContainersResponse all;
  const auto second = NewCall();
  ASSERT_TRUE(lists_->ListContainers(second.get(), request, &all).ok());
  EXPECT_EQ(all.containers_size(), 2);
}

TEST_F(ServicesTest, PagesLeaveNothingOutAndNothingTwice) {
  std::set<std::string> made;
  for (int i = 0; i < 5; ++i) made.insert(MakeCheckpoint());
  std::multiset<std::string> listed;
  v1::ListRequest request;
  request.set_page_size(2);
  do {
    v1::ListCheckpointsResponse page;
    const auto context = NewCall();
    ASSERT_TRUE(lists_->ListCheckpoints(context.get(), request, &page).ok());
    ASSERT_LE(page.checkpoints_size(), 2);
    for (const auto& checkpoint : page.checkpoints()) listed.insert(checkpoint.id());
    request.set_page_token(page.next_page_token());
  } while (!request.page_token().empty());
  EXPECT_EQ(listed, std::multiset<std::string>(made.begin(), made.end()));
}

TEST_F(ServicesTest, APageTokenThatIsNoneIsRefused) {
  v1::ListRequest request;
  request.set_page_token("nonsense");
  v1::ListOperationsResponse page;
  const auto context = NewCall();
  EXPECT_EQ(DetailsOf(lists_->ListOperations(context.get(), request, &page)).reason(),
            "INVALID_REQUEST");
}

TEST_F(ServicesTest, AnOperationIsSeenBeforeItIsRecorded) {
  ASSERT_OK_AND_ASSIGN(const Child victim, world_->StartVictim());
  criu().HangAt(CriuStep::kImagesHalf);
  v1::CheckpointRequest request;
  request.set_pid(victim.pid());
  request.set_request_id("mine");
  const auto call = NewCall();
  const auto reader = checkpoints_->Checkpoint(call.get(), request);
  ASSERT_TRUE(criu().AwaitStep(CriuStep::kImagesHalf));
  const auto running = ListedOperations(/*all=*/false);
  ASSERT_EQ(running.size(), 1U);
  EXPECT_EQ(running[0].request_id(), "mine");
  EXPECT_EQ(running[0].state(), v1::OPERATION_STATE_RUNNING);
  EXPECT_EQ(running[0].stage(), "dump") << "not what was recorded when it began";
  EXPECT_EQ(running[0].progress().stage(), "dump");
  v1::GetRequest get;
  get.set_key(running[0].id());
  v1::Operation operation;
  const auto live = NewCall();
  ASSERT_TRUE(lists_->GetOperation(live.get(), get, &operation).ok());
  EXPECT_EQ(operation.progress().operation_id(), operation.id());
  criu().Release(CriuStep::kImagesHalf);
  EXPECT_TRUE(ReadAll(*reader).status.ok());
  const auto ended = NewCall();
  ASSERT_TRUE(lists_->GetOperation(ended.get(), get, &operation).ok());
  EXPECT_EQ(operation.state(), v1::OPERATION_STATE_SUCCEEDED);
  EXPECT_FALSE(operation.has_progress());
}

TEST_F(ServicesTest, WatchTellsWhatHappenedInOrder) {
  const std::string id = MakeCheckpoint();
  const auto context = NewCall();
  const auto reader = lists_->Watch(context.get(), v1::WatchRequest());
  std::vector<std::string> changes;
  std::int64_t last = 0;
  v1::Event event;
  while (reader->Read(&event)) {
    EXPECT_GT(event.sequence(), last);
    last = event.sequence();
    if (event.subject() == "checkpoint" && event.id() == id) changes.push_back(event.change());
  }
  EXPECT_TRUE(reader->Finish().ok());
  EXPECT_EQ(changes, (std::vector<std::string>{"creating", "ready"}));
}

TEST_F(ServicesTest, WatchFromNowFollowsUntilTheClientLeaves) {
  MakeCheckpoint("old");
  v1::WatchRequest request;
  request.set_from_now(true);
  request.set_follow(true);
  const auto context = NewCall();
  const auto reader = lists_->Watch(context.get(), request);
  reader->WaitForInitialMetadata();
  const std::string id = MakeCheckpoint("new");
  v1::Event event;
  do {
    ASSERT_TRUE(reader->Read(&event)) << "it follows";
    if (event.subject() == "checkpoint") {
      EXPECT_EQ(event.id(), id);
    }
  } while (event.change() != "ready");
  context->TryCancel();
  while (reader->Read(&event)) {
  }
  EXPECT_EQ(reader->Finish().error_code(), grpc::StatusCode::CANCELLED);
  const auto began = SteadyClock::now();
  server_->Shutdown(std::chrono::system_clock::now() + kPatience);
  EXPECT_LT(SteadyClock::now() - began, std::chrono::seconds(2)) << "its thread is free again";
}

TEST_F(ServicesTest, VerifyNamesTheDamagedFile) {
  const std::string id = MakeCheckpoint();
  v1::VerifyRequest request;
  request.set_checkpoint(id);
  v1::VerifyResponse response;
  const auto before = NewCall();
  ASSERT_TRUE(images_->Verify(before.get(), request, &response).ok());
  EXPECT_EQ(response.damages_size(), 0);
  EXPECT_EQ(response.checkpoint().state(), v1::CHECKPOINT_STATE_READY);
  std::ofstream(GetCheckpoint(id).directory() + "/images/pages-1.img", std::ios::app) << "x";
  const auto after = NewCall();
  ASSERT_TRUE(images_->Verify(after.get(), request, &response).ok());
  ASSERT_EQ(response.damages_size(), 1);
  EXPECT_NE(response.damages(0).message().find("pages-1.img"), std::string::npos);
  EXPECT_EQ(response.checkpoint().state(), v1::CHECKPOINT_STATE_DAMAGED);
}

TEST_F(ServicesTest, DeleteRemovesImagesAndRecord) {
  const std::string id = MakeCheckpoint("gone");
  const std::string directory = GetCheckpoint(id).directory();
  v1::DeleteRequest request;
  request.set_checkpoint("gone");
  v1::DeleteResponse response;
  const auto context = NewCall();
  ASSERT_TRUE(images_->Delete(context.get(), request, &response).ok());
  EXPECT_EQ(response.id(), id);
  struct stat status {};
  EXPECT_NE(::stat(directory.c_str(), &status), 0);
  EXPECT_TRUE(ListedCheckpoints(/*all=*/true).empty());
  const auto again = NewCall();
  EXPECT_EQ(DetailsOf(images_->Delete(again.get(), request, &response)).reason(),
            "CHECKPOINT_NOT_FOUND");
}

TEST_F(ServicesTest, InfoCountsWhatIsThere) {
  MakeContainer();
  v1::InfoResponse info;
  const auto context = NewCall();
  ASSERT_TRUE(system_->Info(context.get(), v1::InfoRequest(), &info).ok());
  EXPECT_EQ(info.version(), CRD_VERSION);
  EXPECT_EQ(info.criu_version(), criu().version().ToString());
  EXPECT_EQ(info.checkpoints(), 1U);
  EXPECT_EQ(info.containers_running(), 1U);
  EXPECT_EQ(info.operations_running(), 0U);
  EXPECT_GT(info.free_bytes(), 0U);
}

}  // namespace
}  // namespace crd::rpc
