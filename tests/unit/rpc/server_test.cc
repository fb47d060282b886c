#include "daemon/rpc/server.h"

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <csignal>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include <grpcpp/create_channel.h>
#include <grpcpp/generic/generic_stub.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "api/v1/services.grpc.pb.h"
#include "daemon/base/children.h"
#include "daemon/rpc/health.grpc.pb.h"
#include "daemon/rpc/listener.h"
#include "systemd/event_loop.h"
#include "tests/support/result_matchers.h"
#include "tests/support/temp_dir.h"

namespace crd::rpc {
namespace {

using ::crd::testing::IsOk;
using ::crd::testing::TempDir;
using grpc::health::v1::Health;
using grpc::health::v1::HealthCheckRequest;
using grpc::health::v1::HealthCheckResponse;
using ::testing::HasSubstr;
using namespace std::chrono_literals;

constexpr auto kPatience = 20s;

// A flag that one thread sets and another waits for.
class Event {
 public:
  void Set() {
    const std::lock_guard lock(mutex_);
    set_ = true;
    changed_.notify_all();
  }
  bool Wait() {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, kPatience, [this] { return set_; });
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool set_ = false;
};

// Keeps calls until their client has gone, and remembers whose they were.
class WaitingService final : public v1::ContainerService::Service {
 public:
  explicit WaitingService(const PeerTable& peers) : peers_(peers) {}

  grpc::Status Wait(grpc::ServerContext* context, const v1::WaitRequest* /*request*/,
                    v1::Container* /*response*/) override {
    peer_ = peers_.Lookup(context->peer());
    begun.Set();
    const auto deadline = SteadyClock::now() + kPatience;
    while (!context->IsCancelled() && SteadyClock::now() < deadline) ::poll(nullptr, 0, 2);
    if (context->IsCancelled()) cancelled.Set();
    return grpc::Status::OK;
  }
  // Valid after `begun`.
  [[nodiscard]] const std::shared_ptr<const Peer>& peer() const { return peer_; }

  Event begun;
  Event cancelled;

 private:
  const PeerTable& peers_;
  std::shared_ptr<const Peer> peer_;
};

// A server as the daemon has it: the loop accepts, and gRPC serves.
class ServerTest : public ::testing::Test {
 protected:
  void SetUp() override { Start({}); }
  void TearDown() override { Stop(); }

  void Start(const ServerOptions& options) {
    Stop();
    ASSERT_OK_AND_ASSIGN(loop_, systemd::EventLoop::Create());
    ASSERT_OK_AND_ASSIGN(peers_, PeerTable::Create());
    service_ = std::make_unique<WaitingService>(*peers_);
    ASSERT_OK_AND_ASSIGN(server_, Server::Start(options, *peers_, {service_.get()}));
    auto listener = Listener::Bind(path(), {});
    ASSERT_THAT(listener, IsOk());
    listener_.emplace(*std::move(listener));
    ASSERT_OK_AND_ASSIGN(accepting_, loop_->AddIo(listener_->fd(), EPOLLIN, [this](std::uint32_t) {
      listener_->Accept([this](UniqueFd socket, Peer peer) {
        if (!server_->AddConnection(std::move(socket), std::move(peer)).ok()) ++refused_;
      });
    }));
    ASSERT_OK_AND_ASSIGN(closing_, loop_->AddIo(peers_->hang_ups(), EPOLLIN,
                                                [this](std::uint32_t) { peers_->DropClosed(); }));
    runner_ = std::thread([this] { EXPECT_THAT(loop_->Run(), IsOk()); });
  }

  void Stop() {
    if (!runner_.joinable()) return;
    server_->Shutdown(SteadyClock::now() + 5s);
    loop_->Post([this] { loop_->Exit(0); });
    runner_.join();
    accepting_.Remove();
    closing_.Remove();
    listener_.reset();
    server_.reset();
  }

  [[nodiscard]] std::string path() const { return directory_ / "crd.sock"; }

  // A channel of its own connection.
  [[nodiscard]] std::shared_ptr<grpc::Channel> Channel() const {
    grpc::ChannelArguments arguments;
    arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
    return grpc::CreateCustomChannel("unix:" + path(), grpc::InsecureChannelCredentials(),
                                     arguments);
  }
  static std::unique_ptr<grpc::ClientContext> Context() {
    auto context = std::make_unique<grpc::ClientContext>();
    context->set_deadline(std::chrono::system_clock::now() + kPatience);
    return context;
  }
  grpc::Status Check(const std::string& service, HealthCheckResponse* response) {
    HealthCheckRequest request;
    request.set_service(service);
    return Health::NewStub(Channel())->Check(Context().get(), request, response);
  }
  // Starts this program again as a client: the test of this name, which is disabled otherwise.
  Result<Child> StartClient(const std::string& test) {
    ::setenv("CRD_TEST_SOCKET", path().c_str(), 1);
    return children_.Launch({.argv = {std::filesystem::read_symlink("/proc/self/exe").string(),
                                      "--gtest_filter=" + test, "--gtest_also_run_disabled_tests"},
                             .descriptors = {}});
  }
  bool WaitForConnections(std::size_t count) const {
    const auto deadline = SteadyClock::now() + kPatience;
    while (peers_->size() != count && SteadyClock::now() < deadline) ::poll(nullptr, 0, 2);
    return peers_->size() == count;
  }

  TempDir directory_;
  Children children_;
  std::unique_ptr<systemd::EventLoop> loop_;
  std::unique_ptr<PeerTable> peers_;
  std::unique_ptr<WaitingService> service_;
  std::unique_ptr<Server> server_;
  std::optional<Listener> listener_;
  systemd::EventSource accepting_, closing_;
  std::atomic<int> refused_ = 0;
  std::thread runner_;
};

// Not a test: the client process of tests below.
TEST(ServerClient, DISABLED_WaitsForAContainer) {
  const std::string address = std::string("unix:") + std::getenv("CRD_TEST_SOCKET");
  const auto stub = v1::ContainerService::NewStub(
      grpc::CreateChannel(address, grpc::InsecureChannelCredentials()));
  grpc::ClientContext context;
  v1::Container response;
  static_cast<void>(stub->Wait(&context, {}, &response));
}

TEST(ServerClient, DISABLED_WaitsForAContainerForAMoment) {
  const std::string address = std::string("unix:") + std::getenv("CRD_TEST_SOCKET");
  const auto stub = v1::ContainerService::NewStub(
      grpc::CreateChannel(address, grpc::InsecureChannelCredentials()));
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + 300ms);
  v1::Container response;
  EXPECT_EQ(stub->Wait(&context, {}, &response).error_code(), grpc::StatusCode::DEADLINE_EXCEEDED);
  ::poll(nullptr, 0, -1);  // stays connected: what cancels the call is its deadline
}

TEST_F(ServerTest, AHealthCheckComesThrough) {
  HealthCheckResponse response;
  ASSERT_TRUE(Check("", &response).ok());
  EXPECT_EQ(response.status(), HealthCheckResponse::NOT_SERVING);
  server_->SetServing(true);
  ASSERT_TRUE(Check("", &response).ok());
  EXPECT_EQ(response.status(), HealthCheckResponse::SERVING);
  ASSERT_TRUE(Check("crd.v1.ContainerService", &response).ok());
  EXPECT_EQ(response.status(), HealthCheckResponse::SERVING);
  EXPECT_EQ(Check("crd.v1.Nothing", &response).error_code(), grpc::StatusCode::NOT_FOUND);
}

TEST_F(ServerTest, WatchingHealthIsUnimplementedAsTheProtocolAllows) {
  const auto stub = Health::NewStub(Channel());
  const auto context = Context();
  const auto reader = stub->Watch(context.get(), {});
  HealthCheckResponse response;
  EXPECT_FALSE(reader->Read(&response));
  EXPECT_EQ(reader->Finish().error_code(), grpc::StatusCode::UNIMPLEMENTED);
}

TEST_F(ServerTest, ReflectionListsTheServices) {
  grpc::CompletionQueue queue;
  const auto context = Context();
  void* tag = nullptr;
  bool ok = false;
  const auto next = [&] { return queue.Next(&tag, &ok) && ok; };
  const auto call = grpc::GenericStub(Channel()).PrepareCall(
      context.get(), "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo", &queue);
  call->StartCall(nullptr);
  ASSERT_TRUE(next());
  const grpc::Slice list_services("\x3a\x00", 2);  // field 7, an empty string
  call->Write(grpc::ByteBuffer(&list_services, 1), nullptr);
  ASSERT_TRUE(next());
  grpc::ByteBuffer answer;
  call->Read(&answer, nullptr);
  ASSERT_TRUE(next());
  grpc::Slice text;
  ASSERT_TRUE(answer.DumpToSingleSlice(&text).ok());
  const std::string names(reinterpret_cast<const char*>(text.begin()), text.size());
  EXPECT_THAT(names, HasSubstr("crd.v1.ContainerService"));
  EXPECT_THAT(names, HasSubstr("grpc.health.v1.Health"));
  context->TryCancel();
  grpc::Status status;
  call->Finish(&status, nullptr);
  EXPECT_TRUE(queue.Next(&tag, &ok));
}

TEST_F(ServerTest, ARequestThatIsTooLargeIsRefusedWithBothSizes) {
  HealthCheckResponse response;
  const grpc::Status status = Check(std::string(2 << 20, 'x'), &response);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_THAT(status.error_message(), HasSubstr("1048576"));
}

TEST_F(ServerTest, ACallLeadsBackToItsPeer) {
  ASSERT_OK_AND_ASSIGN(Child client, StartClient("ServerClient.DISABLED_WaitsForAContainer"));
  ASSERT_TRUE(service_->begun.Wait());
  ASSERT_NE(service_->peer(), nullptr);
  EXPECT_EQ(service_->peer()->pid, client.pid());
  EXPECT_EQ(service_->peer()->uid, ::getuid());
  EXPECT_NE(service_->peer()->process, nullptr);
}

TEST_F(ServerTest, AKilledClientCancelsItsCall) {
  ASSERT_OK_AND_ASSIGN(Child client, StartClient("ServerClient.DISABLED_WaitsForAContainer"));
  ASSERT_TRUE(service_->begun.Wait());
  EXPECT_EQ(peers_->size(), 1U);
  client.Kill();
  EXPECT_TRUE(service_->cancelled.Wait());
  EXPECT_TRUE(WaitForConnections(0));
}

TEST_F(ServerTest, ConnectionsBeyondTheLimitAreClosed) {
  Start({.max_connections = 1});
  const auto first = Channel();
  ASSERT_TRUE(first->WaitForConnected(std::chrono::system_clock::now() + kPatience));
  ASSERT_TRUE(WaitForConnections(1));
  HealthCheckResponse response;
  EXPECT_EQ(Check("", &response).error_code(), grpc::StatusCode::UNAVAILABLE);
  EXPECT_GE(refused_, 1);
  EXPECT_EQ(peers_->size(), 1U);
}

TEST_F(ServerTest, CallsBeyondTheThreadLimitAreRefused) {
  Start({.max_threads = 2});
  const auto channel = Channel();
  const auto stub = v1::ContainerService::NewStub(channel);
  const auto context = Context();
  v1::Container container;
  std::thread waiting([&] { static_cast<void>(stub->Wait(context.get(), {}, &container)); });
  ASSERT_TRUE(service_->begun.Wait());
  const auto second_context = Context();
  v1::Container second;
  const grpc::Status status = stub->Wait(second_context.get(), {}, &second);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED) << status.error_message();
  context->TryCancel();
  waiting.join();
}

TEST_F(ServerTest, ShutdownCancelsWhatIsStillGoingOnAtItsDeadline) {
  const auto stub = v1::ContainerService::NewStub(Channel());
  const auto context = Context();
  v1::Container container;
  grpc::Status status;
  std::thread waiting([&] { status = stub->Wait(context.get(), {}, &container); });
  ASSERT_TRUE(service_->begun.Wait());
  server_->Shutdown(SteadyClock::now() + 50ms);
  EXPECT_TRUE(service_->cancelled.Wait());
  waiting.join();
  EXPECT_FALSE(status.ok());
}

// How often each thread but the calling one went to sleep, by thread id.
std::map<std::string, std::uint64_t> SleepsOfOthers() {
  std::map<std::string, std::uint64_t> sleeps;
  for (const auto& task : std::filesystem::directory_iterator("/proc/self/task")) {
    const std::string thread = task.path().filename();
    if (thread == std::to_string(::gettid())) continue;
    std::ifstream status(task.path() / "status");
    for (std::string line; std::getline(status, line);) {
      if (line.starts_with("voluntary_ctxt_switches:"))
        sleeps[thread] = std::stoull(line.substr(24));
    }
  }
  return sleeps;
}

class QuietServerTest : public ServerTest {
 protected:
  void SetUp() override { Start({.quiet = true}); }
};

TEST_F(QuietServerTest, SleepsAlsoWithAClient) {
  ASSERT_OK_AND_ASSIGN(Child client,
                       StartClient("ServerClient.DISABLED_WaitsForAContainerForAMoment"));
  // The deadline comes from the client, since the server has no timers.
  ASSERT_TRUE(service_->begun.Wait());
  EXPECT_TRUE(service_->cancelled.Wait());
  EXPECT_EQ(peers_->size(), 1U);
  // What is measured is a stretch of time, so it has to pass; the first part lets all settle.
  ::poll(nullptr, 0, 300);
  const auto before = SleepsOfOthers();
  ::poll(nullptr, 0, 2500);
  // The client may send something of its own accord; a gRPC that ticks wakes up five times.
  std::uint64_t woken = 0;
  for (const auto& [thread, count] : SleepsOfOthers()) {
    if (before.contains(thread)) woken += count - before.at(thread);
  }
  EXPECT_LE(woken, 2U);
}

TEST_F(QuietServerTest, ShutsDownAlthoughAClientDoesNotAnswer) {
  ASSERT_OK_AND_ASSIGN(Child client, StartClient("ServerClient.DISABLED_WaitsForAContainer"));
  ASSERT_TRUE(service_->begun.Wait());
  ASSERT_THAT(client.process().Signal(SIGSTOP), IsOk());
  const auto begun = SteadyClock::now();
  server_->Shutdown(begun + 100ms);
  EXPECT_LT(SteadyClock::now() - begun, 5s);
}

}  // namespace
}  // namespace crd::rpc
