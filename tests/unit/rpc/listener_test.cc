#include "daemon/rpc/listener.h"

#include <algorithm>
#include <cstring>
#include <fstream>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <fcntl.h>
#include <grp.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/support/result_matchers.h"
#include "tests/support/temp_dir.h"

namespace crd::rpc {
namespace {

using ::crd::testing::FailsWith;
using ::crd::testing::IsOk;
using ::crd::testing::TempDir;
using ::testing::HasSubstr;

constexpr gid_t kGroup = 4242;
constexpr uid_t kNobody = 65534;

UniqueFd Connect(const std::string& path) {
  UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_un address{.sun_family = AF_UNIX, .sun_path = {}};
  std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
  if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    return {};
  }
  return fd;
}

// What a client sees: true when the connection was closed by the other side.
bool ClosedByServer(FdRef fd) {
  pollfd ready{.fd = fd.get(), .events = POLLIN, .revents = 0};
  char byte = 0;
  return ::poll(&ready, 1, 10'000) == 1 && ::read(fd.get(), &byte, 1) <= 0;
}

class ListenerTest : public ::testing::Test {
 protected:
  void SetUp() override {
    // Clients of another uid have to get through to the socket.
    ASSERT_EQ(::chmod(directory_.path().c_str(), 0755), 0);
  }
  std::string path() const { return directory_ / "crd.sock"; }

  // Waits for a connection, and gives who was let in.
  static std::vector<Peer> AcceptedBy(Listener& listener) {
    pollfd ready{.fd = listener.fd().get(), .events = POLLIN, .revents = 0};
    EXPECT_EQ(::poll(&ready, 1, 10'000), 1);
    std::vector<Peer> peers;
    listener.Accept([&](UniqueFd socket, Peer peer) {
      EXPECT_NE(::fcntl(socket.get(), F_GETFL) & O_NONBLOCK, 0);
      EXPECT_NE(::fcntl(socket.get(), F_GETFD) & FD_CLOEXEC, 0);
      peers.push_back(std::move(peer));
    });
    return peers;
  }

  // Connects from a process of this identity and gives who was let in.
  std::vector<Peer> AcceptFrom(Listener& listener, uid_t uid, gid_t gid,
                               const std::vector<gid_t>& groups) {
    EXPECT_EQ(::chmod(path().c_str(), 0666), 0);  // as a unit with SocketMode=0666 would do
    int done[2];
    EXPECT_EQ(::pipe2(done, O_CLOEXEC), 0);
    const pid_t child = ::fork();
    if (child == 0) {
      ::close(done[1]);
      if (::setgroups(groups.size(), groups.data()) != 0 || ::setgid(gid) != 0 ||
          ::setuid(uid) != 0) {
        ::_exit(2);
      }
      const UniqueFd connection = Connect(path());
      char byte = 0;
      // Stays until the parent has looked.
      [[maybe_unused]] const ssize_t got = ::read(done[0], &byte, 1);
      ::_exit(connection.valid() ? 0 : 3);
    }
    ::close(done[0]);
    const std::vector<Peer> peers = AcceptedBy(listener);
    ::close(done[1]);
    int status = 0;
    EXPECT_EQ(::waitpid(child, &status, 0), child);
    EXPECT_EQ(status, 0);
    for (const Peer& peer : peers) EXPECT_EQ(peer.pid, child);
    return peers;
  }

  TempDir directory_;
};

TEST(SocketPath, TakesUrlsAndPlainPaths) {
  for (const char* address :
       {"/run/crd/crd.sock", "unix:/run/crd/crd.sock", "unix:///run/crd/crd.sock"}) {
    ASSERT_OK_AND_ASSIGN(const std::string path, SocketPath(address));
    EXPECT_EQ(path, "/run/crd/crd.sock");
  }
  ASSERT_OK_AND_ASSIGN(const std::string relative, SocketPath("./a:b/crd.sock"));
  EXPECT_EQ(relative, "./a:b/crd.sock");
}

TEST(SocketPath, RefusesWhatIsNoUnixSocket) {
  for (const char* address :
       {"", "unix:", "unix://", "tcp://localhost:1", "localhost:1", "/run/"}) {
    EXPECT_THAT(SocketPath(address), FailsWith(Code::kInvalidArgument)) << address;
  }
}

TEST(SocketPath, APathThatIsTooLongIsNamedWithBothLengths) {
  EXPECT_THAT(SocketPath("/" + std::string(106, 'x')), IsOk());
  const auto path = SocketPath("/" + std::string(107, 'x'));
  ASSERT_THAT(path, FailsWith(Code::kInvalidArgument));
  EXPECT_THAT(path.error().message, HasSubstr("108 bytes"));
  EXPECT_THAT(path.error().message, HasSubstr("107"));
}

TEST(FindGroup, KnowsRootsGroupAndTellsAMissingOne) {
  ASSERT_OK_AND_ASSIGN(const auto root, FindGroup("root"));
  EXPECT_EQ(root, gid_t{0});
  ASSERT_OK_AND_ASSIGN(const auto missing, FindGroup("no-such-group-of-crd"));
  EXPECT_EQ(missing, std::nullopt);
}

TEST_F(ListenerTest, TheSocketIsOfItsGroupAndForNobodyElse) {
  ASSERT_OK_AND_ASSIGN(const Listener listener, Listener::Bind(path(), kGroup));
  struct stat status {};
  ASSERT_EQ(::stat(path().c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 07777, 0660U);
  EXPECT_EQ(status.st_gid, kGroup);
  EXPECT_EQ(status.st_uid, 0U);
}

TEST_F(ListenerTest, AMissingDirectoryIsMadeAndItsGroupGetsThrough) {
  const std::string inner = directory_ / "a/b";
  ASSERT_OK_AND_ASSIGN(const Listener listener, Listener::Bind(inner + "/crd.sock", kGroup));
  struct stat status {};
  ASSERT_EQ(::stat(inner.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 07777, 0710U);
  EXPECT_EQ(status.st_gid, kGroup);
}

TEST_F(ListenerTest, ADeadSocketIsReplaced) {
  {
    UniqueFd dead(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_un address{.sun_family = AF_UNIX, .sun_path = {}};
    std::memcpy(address.sun_path, path().c_str(), path().size() + 1);
    ASSERT_EQ(::bind(dead.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
  }
  ASSERT_OK_AND_ASSIGN(const Listener listener, Listener::Bind(path(), {}));
  EXPECT_TRUE(Connect(path()).valid());
}

TEST_F(ListenerTest, ALiveSocketIsLeftAlone) {
  ASSERT_OK_AND_ASSIGN(const Listener first, Listener::Bind(path(), {}));
  const auto second = Listener::Bind(path(), {});
  ASSERT_THAT(second, FailsWith(Code::kAlreadyExists));
  EXPECT_THAT(second.error().message, HasSubstr("another crd answers on '" + path() + "'"));
  EXPECT_TRUE(Connect(path()).valid());
}

TEST_F(ListenerTest, AnythingElseInTheWayIsLeftAlone) {
  std::ofstream(path()) << "precious";
  EXPECT_THAT(Listener::Bind(path(), {}), FailsWith(Code::kFailedPrecondition));
  std::string content;
  std::ifstream(path()) >> content;
  EXPECT_EQ(content, "precious");
  ASSERT_EQ(::unlink(path().c_str()), 0);
  ASSERT_EQ(::symlink("elsewhere", path().c_str()), 0);
  EXPECT_THAT(Listener::Bind(path(), {}), FailsWith(Code::kFailedPrecondition));
}

TEST_F(ListenerTest, TheFileGoesWithTheListener) {
  {
    ASSERT_OK_AND_ASSIGN(Listener listener, Listener::Bind(path(), {}));
    const Listener moved = std::move(listener);
    EXPECT_EQ(::access(path().c_str(), F_OK), 0);
  }
  EXPECT_NE(::access(path().c_str(), F_OK), 0);
}

TEST_F(ListenerTest, AFileThatAnotherPutThereStays) {
  auto listener = std::make_unique<Result<Listener>>(Listener::Bind(path(), {}));
  ASSERT_THAT(*listener, IsOk());
  ASSERT_EQ(::unlink(path().c_str()), 0);
  ASSERT_OK_AND_ASSIGN(const Listener other, Listener::Bind(path(), {}));
  listener.reset();
  EXPECT_TRUE(Connect(path()).valid());
}

TEST_F(ListenerTest, AnInheritedSocketIsUsedAndItsFileStays) {
  ASSERT_OK_AND_ASSIGN(Listener owner, Listener::Bind(path(), {}));
  {
    ASSERT_OK_AND_ASSIGN(Listener adopted, Listener::Adopt(UniqueFd(::dup(owner.fd().get())), {}));
    EXPECT_EQ(adopted.address(), path());
    const UniqueFd client = Connect(path());
    EXPECT_EQ(AcceptedBy(adopted).size(), 1U);
  }
  EXPECT_EQ(::access(path().c_str(), F_OK), 0);
}

TEST_F(ListenerTest, OnlyListeningUnixSocketsAreAdopted) {
  EXPECT_THAT(Listener::Adopt(UniqueFd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)), {}),
              FailsWith(Code::kInvalidArgument));
  UniqueFd tcp(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  ASSERT_EQ(::listen(tcp.get(), 1), 0);
  EXPECT_THAT(Listener::Adopt(std::move(tcp), {}), FailsWith(Code::kInvalidArgument));
}

TEST_F(ListenerTest, RootIsLetIn) {
  ASSERT_OK_AND_ASSIGN(Listener listener, Listener::Bind(path(), {}));
  const auto peers = AcceptFrom(listener, 0, 0, {});
  ASSERT_EQ(peers.size(), 1U);
  EXPECT_EQ(peers[0].uid, 0U);
}

TEST_F(ListenerTest, StrangersAreClosed) {
  ASSERT_OK_AND_ASSIGN(Listener listener, Listener::Bind(path(), kGroup));
  EXPECT_TRUE(AcceptFrom(listener, kNobody, kNobody, {}).empty());
  EXPECT_TRUE(AcceptFrom(listener, kNobody, kNobody, {1, 2, 3}).empty());
}

TEST_F(ListenerTest, StrangersAreClosedWhereThereIsNoGroup) {
  ASSERT_OK_AND_ASSIGN(Listener listener, Listener::Bind(path(), {}));
  EXPECT_TRUE(AcceptFrom(listener, kNobody, 0, {0}).empty());
}

TEST_F(ListenerTest, MembersByPrimaryGroupAreLetIn) {
  ASSERT_OK_AND_ASSIGN(Listener listener, Listener::Bind(path(), kGroup));
  const auto peers = AcceptFrom(listener, kNobody, kGroup, {});
  ASSERT_EQ(peers.size(), 1U);
  EXPECT_EQ(peers[0].uid, kNobody);
  EXPECT_EQ(peers[0].gid, kGroup);
}

TEST_F(ListenerTest, MembersByOneOfManyGroupsAreLetIn) {
  ASSERT_OK_AND_ASSIGN(Listener listener, Listener::Bind(path(), kGroup));
  std::vector<gid_t> groups;
  for (gid_t group = 100; group < 200; ++group) groups.push_back(group);
  groups.push_back(kGroup);
  EXPECT_EQ(AcceptFrom(listener, kNobody, kNobody, groups).size(), 1U);
}

TEST_F(ListenerTest, WithoutDescriptorsClientsAreTurnedAwayAndLaterOnesServed) {
  ASSERT_OK_AND_ASSIGN(Listener listener, Listener::Bind(path(), {}));
  const UniqueFd unlucky = Connect(path());
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &before), 0);
  std::vector<UniqueFd> fillers;
  const rlimit small{.rlim_cur = 64, .rlim_max = before.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &small), 0);
  for (UniqueFd fd(::dup(0)); fd.valid(); fd.reset(::dup(0))) fillers.push_back(std::move(fd));
  int accepted = 0;
  listener.Accept([&](UniqueFd, Peer) { ++accepted; });
  fillers.clear();
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &before), 0);
  EXPECT_EQ(accepted, 0);
  EXPECT_TRUE(ClosedByServer(unlucky.ref()));
  const UniqueFd lucky = Connect(path());
  EXPECT_EQ(AcceptedBy(listener).size(), 1U);
}

}  // namespace
}  // namespace crd::rpc
