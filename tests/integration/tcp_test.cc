// Open connections, in the network namespace that crd itself is in.
#include <string>
#include <vector>

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>

#include "tests/integration/support/integration_test.h"

namespace crd::testing {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

class Tcp : public IntegrationTest {
 protected:
  std::vector<std::string> Locks() { return OwnNetwork::Tables(reaper_); }
};

// A client of a victim, in the test: the end that is not checkpointed.
class Client {
 public:
  explicit Client(std::int64_t port) : socket_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(static_cast<std::uint16_t>(port));
    connected_ =
        ::connect(socket_.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) == 0;
  }
  [[nodiscard]] bool connected() const { return connected_; }
  void Say(const std::string& text) {
    EXPECT_EQ(::send(socket_.get(), text.data(), text.size(), MSG_NOSIGNAL),
              static_cast<ssize_t>(text.size()));
  }
  // What comes back, as long as `text` is; less if it does not come in time.
  std::string Hear(std::size_t size) {
    std::string heard;
    const Deadline deadline = Within(kPatience);
    while (heard.size() < size) {
      pollfd waiting{.fd = socket_.get(), .events = POLLIN, .revents = 0};
      if (::poll(&waiting, 1, PollTimeout(deadline)) <= 0) break;
      char data[64];
      const ssize_t got = ::recv(socket_.get(), data, sizeof data, 0);
      if (got <= 0) break;
      heard.append(data, static_cast<std::size_t>(got));
    }
    return heard;
  }

 private:
  UniqueFd socket_;
  bool connected_ = false;
};

class TcpPair : public Tcp, public ::testing::WithParamInterface<std::string> {};

TEST_P(TcpPair, GoesOnAfterARestoreAndAfterAnotherOne) {
  Victim victim(reaper_, dir_.path(), "tcp", {.arguments = {GetParam()}});
  ASSERT_TRUE(victim.Started());
  const std::string checkpoint = Checkpointed(victim, {"--tcp-established"});
  const auto counts = victim.Counts();
  for (int round = 0; round < 2; ++round) {
    const std::string container = Restored(checkpoint, {"--tcp-established"});
    EXPECT_TRUE(victim.GoesOnFrom(counts));
    EXPECT_THAT(Locks(), IsEmpty());
    victim.Kill();
    EXPECT_THAT(api_->Wait(container), Worked());
  }
}

TEST_P(TcpPair, GoesOnWhenTheTreeIsLeftRunning) {
  Victim victim(reaper_, dir_.path(), "tcp", {.arguments = {GetParam()}});
  ASSERT_TRUE(victim.Started());
  const std::string checkpoint = Checkpointed(victim, {"--tcp-established", "--leave-running"});
  EXPECT_TRUE(victim.GoesOn());
  EXPECT_THAT(Locks(), IsEmpty());
  EXPECT_THAT(api_->GetCheckpoint(checkpoint)->network_lock(), IsEmpty());
}

INSTANTIATE_TEST_SUITE_P(Versions, TcpPair, ::testing::Values("4", "6"),
                         [](const auto& tested) { return "Ip" + tested.param; });

TEST_F(Tcp, ThePeerOutsideTheTreeDoesNotNoticeTheCheckpoint) {
  Victim victim(reaper_, dir_.path(), "server");
  ASSERT_TRUE(victim.Started());
  Client client(victim.Value(0));
  ASSERT_TRUE(client.connected());
  client.Say("before");
  EXPECT_EQ(client.Hear(6), "before");
  const std::string checkpoint = Checkpointed(victim, {"--tcp-established"});
  client.Say("meanwhile");
  Restored(checkpoint, {"--tcp-established"});
  EXPECT_EQ(client.Hear(9), "meanwhile");
  client.Say("after");
  EXPECT_EQ(client.Hear(5), "after");
}

TEST_F(Tcp, AListeningSocketAcceptsAgain) {
  Victim victim(reaper_, dir_.path(), "listener");
  ASSERT_TRUE(victim.Started());
  Restored(Checkpointed(victim));
  Client client(victim.Value(0));
  ASSERT_TRUE(client.connected());
  client.Say("hello");
  EXPECT_EQ(client.Hear(5), "hello");
}

TEST_F(Tcp, RestoreIsRefusedUntilItIsSaidWhatBecomesOfTheConnections) {
  Victim victim(reaper_, dir_.path(), "tcp");
  ASSERT_TRUE(victim.Started());
  const std::string checkpoint = Checkpointed(victim, {"--tcp-established"});
  EXPECT_THAT(api_->Restore(RestoreOf(checkpoint)), FailsBecause("TCP_NOT_ALLOWED"));
  EXPECT_TRUE(Refused(crctl_({"restore", checkpoint}), "--tcp-established"));
  EXPECT_TRUE(victim.Gone());
  const auto counts = victim.Counts();
  Restored(checkpoint, {"--tcp-established"});
  EXPECT_TRUE(victim.GoesOnFrom(counts));
}

TEST_F(Tcp, ConnectionsComeBackClosedWhenAsked) {
  Victim victim(reaper_, dir_.path(), "tcp");
  ASSERT_TRUE(victim.Started());
  const std::string checkpoint = Checkpointed(victim, {"--tcp-established"});
  const Outcome restored = crctl_({"restore", checkpoint, "--tcp-close", "--wait"});
  // The victim ends so when it finds its connection closed.
  EXPECT_EQ(restored.exit, 99) << ::testing::PrintToString(restored);
  EXPECT_THAT(Locks(), IsEmpty());
}

TEST_F(Tcp, TheLockIsShownAndGoesWithTheCheckpoint) {
  Victim victim(reaper_, dir_.path(), "tcp");
  ASSERT_TRUE(victim.Started());
  const std::string checkpoint = Checkpointed(victim, {"--tcp-established"});
  const std::string lock = crctl_.Json({"show", checkpoint}).value("network_lock", "");
  EXPECT_THAT(lock, HasSubstr("CRIU-"));
  EXPECT_THAT(Locks(), Contains(HasSubstr(lock.substr(0, 20))));
  EXPECT_EQ(crctl_({"rm", checkpoint}).exit, 0);
  EXPECT_THAT(Locks(), IsEmpty());
}

TEST_F(Tcp, ACheckpointThatIsRolledBackLeavesTheConnectionOpen) {
  Victim victim(reaper_, dir_.path(), "server");
  ASSERT_TRUE(victim.Started());
  Client client(victim.Value(0));
  ASSERT_TRUE(client.connected());
  client.Say("before");
  EXPECT_EQ(client.Hear(6), "before");
  v1::CheckpointRequest request = CheckpointOf(victim);
  request.mutable_options()->set_tcp_established(true);
  request.set_timeout_us(1);
  EXPECT_THAT(api_->Checkpoint(request), FailsBecause("OPERATION_TIMED_OUT"));
  client.Say("after");
  EXPECT_EQ(client.Hear(5), "after");
  EXPECT_THAT(Locks(), IsEmpty());
}

}  // namespace
}  // namespace crd::testing
