#include "client/connection.h"

#include <string>

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "client/errors.h"
#include "client/exit_codes.h"
#include "daemon/base/cleanup.h"
#include "daemon/base/unique_fd.h"
#include "tests/support/result_matchers.h"
#include "tests/support/temp_dir.h"
#include "tests/unit/client/crctl_run.h"

namespace crd::client {
namespace {

using crd::testing::FailsWith;
using crd::testing::TempDir;
using ::testing::HasSubstr;

constexpr std::chrono::seconds kPatience{10};

// A socket that exists; nobody accepts.
UniqueFd BoundSocket(const std::string& path, int backlog) {
  UniqueFd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path.copy(static_cast<char*>(address.sun_path), sizeof address.sun_path - 1);
  EXPECT_EQ(::bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
  if (backlog >= 0) {
    EXPECT_EQ(::listen(socket.get(), backlog), 0);
  }
  return socket;
}

TEST(SocketPath, TakesUnixAddressesAndPlainPaths) {
  for (const char* address :
       {"unix:///run/crd/crd.sock", "unix:/run/crd/crd.sock", "/run/crd/crd.sock"}) {
    const auto path = SocketPath(address);
    ASSERT_THAT(path, crd::testing::IsOk()) << address;
    EXPECT_EQ(*path, "/run/crd/crd.sock");
  }
  EXPECT_EQ(*SocketPath("unix:run/crd.sock"), "run/crd.sock");
  EXPECT_EQ(*SocketPath("crd.sock"), "crd.sock");
}

TEST(SocketPath, RefusesWhatCrdDoesNotListenOn) {
  for (const std::string& address :
       {std::string(), std::string("tcp://host:1"), std::string("unix:"), std::string("unix://"),
        std::string("unix://host/x"), "/" + std::string(200, 'x')}) {
    EXPECT_THAT(SocketPath(address), FailsWith(Code::kInvalidArgument)) << address;
  }
}

TEST(Connect, SaysThatThereIsNoSocket) {
  const TempDir dir;
  const auto channel = Connect(dir / "none.sock", kPatience);
  ASSERT_FALSE(channel.ok());
  EXPECT_EQ(channel.error().reason, kNoDaemonReason);
  EXPECT_THAT(channel.error().message, HasSubstr("no socket"));
  EXPECT_THAT(channel.error().hint, HasSubstr("systemctl start"));
}

TEST(Connect, SaysThatNobodyListens) {
  const TempDir dir;
  const UniqueFd socket = BoundSocket(dir / "dead.sock", -1);
  const auto channel = Connect(dir / "dead.sock", kPatience);
  ASSERT_FALSE(channel.ok());
  EXPECT_EQ(channel.error().reason, kNoDaemonReason);
  EXPECT_THAT(channel.error().message, HasSubstr("nobody listens"));
}

TEST(Connect, GivesUpOnACrdThatAcceptsNobody) {
  const TempDir dir;
  const UniqueFd socket = BoundSocket(dir / "stuck.sock", 0);
  const auto first = Connect(dir / "stuck.sock", kPatience);
  const auto second = Connect(dir / "stuck.sock", std::chrono::milliseconds(20));
  ASSERT_FALSE(second.ok());
  EXPECT_THAT(second.error().message, HasSubstr("accepts no connections"));
  EXPECT_EQ(ExitCode(second.error()), kNoDaemon);
}

TEST(Connect, SaysWhoMayUseTheSocket) {
  // No file mode is in root's way.
  const uid_t before = ::geteuid();
  const Cleanup back([&] { EXPECT_EQ(::seteuid(before), 0); });
  if (before == 0) {
    ASSERT_EQ(::seteuid(65534), 0);
  }
  const TempDir dir;
  const UniqueFd socket = BoundSocket(dir / "crd.sock", 5);
  ASSERT_EQ(::chmod((dir / "crd.sock").c_str(), 0), 0);
  const auto channel = Connect(dir / "crd.sock", kPatience);
  ASSERT_FALSE(channel.ok());
  EXPECT_EQ(channel.error().code, Code::kPermissionDenied);
  EXPECT_EQ(ExitCode(channel.error()), kNoDaemon);
  EXPECT_THAT(channel.error().hint, HasSubstr("group"));
}

TEST(Crctl, ExitsWith3WithoutADaemon) {
  const TempDir dir;
  for (const char* command : {"info", "list", "ps"}) {
    const Outcome outcome = Crctl({"--socket", dir / "none.sock", command});
    EXPECT_EQ(outcome.status, kNoDaemon) << command;
    EXPECT_EQ(outcome.out, "");
    EXPECT_THAT(outcome.err, HasSubstr("crctl: crd does not run"));
  }
  EXPECT_EQ(Crctl({"--socket", dir / "none.sock", "rm", "a", "b"}).status, kNoDaemon);
  EXPECT_EQ(Crctl({"--socket", dir / "none.sock", "checkpoint", "--pid", "1"}).status, kNoDaemon);
}

}  // namespace
}  // namespace crd::client
