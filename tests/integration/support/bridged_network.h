#pragma once

#include <memory>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include <fcntl.h>
#include <sched.h>
#include <sys/stat.h>

#include "tests/integration/support/stopping_criu.h"
#include "tests/integration/support/tcp_client.h"

namespace crd::testing {

inline constexpr const char* kAddress4 = "10.77.0.5";
inline constexpr const char* kAddress6 = "fd77::5";

// Tests with trees in network namespaces of their own on a bridge br0, and a peer beside them: all
// in the test's own network namespace, where crd runs, too.
class BridgedNetwork : public WithStoppingCriu {
 protected:
  void SetUp() override {
    IntegrationTest::SetUp();
    MakeBridge();
    MakePeer();
  }

  // ip(8), in crd's network namespace or in that of a file.
  Outcome Ip(const std::string& command, const std::string& netns = "") {
    std::vector<std::string> argv;
    if (!netns.empty()) argv = {"nsenter", "--net=" + netns};
    argv.emplace_back("ip");
    std::istringstream words(command);
    for (std::string word; words >> word;) argv.push_back(word);
    return RunProgram(reaper_, argv);
  }
  void MustIp(const std::string& command, const std::string& netns = "") {
    const Outcome outcome = Ip(command, netns);
    ASSERT_EQ(outcome.exit, 0) << command << ": " << outcome.err;
  }
  void MakeBridge() {
    MustIp("link add br0 type bridge");
    MustIp("address add 10.77.0.1/24 dev br0");
    MustIp("address add fd77::1/64 dev br0 nodad");
    MustIp("link set br0 up");
  }

  // A second namespace on the bridge, for clients.
  void MakePeer() {
    std::thread([&] {
      EXPECT_EQ(::unshare(CLONE_NEWNET), 0);
      peer_.reset(::open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC));
    }).join();
    MustIp("link add vp0 type veth peer name eth0 netns " + PeerPath());
    MustIp("link set vp0 master br0 up");
    MustIp("address add 10.77.0.9/24 dev eth0", PeerPath());
    MustIp("address add fd77::9/64 dev eth0 nodad", PeerPath());
    MustIp("link set eth0 up", PeerPath());
  }
  [[nodiscard]] std::string PeerPath() const {
    return "/proc/" + std::to_string(::getpid()) + "/fd/" + std::to_string(peer_.get());
  }
  // On a thread of the peer's namespace.
  template <typename Work>
  void AtPeer(const Work& work) {
    std::thread([&] {
      EXPECT_EQ(::setns(peer_.get(), CLONE_NEWNET), 0);
      work();
    }).join();
  }
  std::unique_ptr<TcpClient> ConnectFromPeer(std::int64_t port, const std::string& address) {
    std::unique_ptr<TcpClient> client;
    AtPeer([&] { client = std::make_unique<TcpClient>(address, port); });
    EXPECT_TRUE(client->connected());
    return client;
  }
  std::unique_ptr<TcpClient> ConnectFromPeer(const Victim& victim, const std::string& address) {
    return ConnectFromPeer(victim.Value(0), address);
  }

  // Puts the namespace of a process on the bridge as 10.77.0.5 and fd77::5.
  void Wire(pid_t pid) {
    const std::string netns = NetnsOf(pid);
    MustIp("link add vc0 type veth peer name eth0 netns " + std::to_string(pid));
    MustIp("link set vc0 master br0 up");
    MustIp("link set lo up", netns);
    MustIp("link set eth0 address 02:00:00:00:00:05 mtu 1400", netns);
    MustIp("address add 10.77.0.5/24 dev eth0", netns);
    MustIp("address add fd77::5/64 dev eth0 nodad", netns);
    MustIp("link set eth0 up", netns);
    MustIp("route add default via 10.77.0.1", netns);
  }
  // A victim in a namespace of its own that is wired.
  Victim& NewWired(const std::string& mode, const std::vector<std::string>& arguments = {}) {
    Victim& victim = NewVictim(mode, {.arguments = arguments, .starter = {"unshare", "--net"}});
    EXPECT_TRUE(victim.Started());
    Wire(victim.pid());
    return victim;
  }
  Victim& NewServer() { return NewWired("server", {"anywhere"}); }
  static std::string NetnsOf(pid_t pid) { return "/proc/" + std::to_string(pid) + "/ns/net"; }
  static std::string NetnsOf(const Victim& victim) { return NetnsOf(victim.pid()); }
  static ino_t InodeOf(const std::string& netns) {
    struct stat status {};
    return ::stat(netns.c_str(), &status) == 0 ? status.st_ino : 0;
  }
  std::vector<std::string> LocksIn(const std::string& netns) {
    const Outcome listed =
        RunProgram(reaper_, {"nsenter", "--net=" + netns, "nft", "list", "tables"});
    EXPECT_EQ(listed.exit, 0) << listed.err;
    std::vector<std::string> locks;
    std::istringstream lines(listed.out);
    for (std::string line; std::getline(lines, line);) locks.push_back(line);
    return locks;
  }
  // Its own end, and with it the namespace: the kernel takes its time.
  void AwaitDismantled() {
    EXPECT_TRUE(WaitUntil([&] { return Ip("link show vc0").exit != 0; }));
  }

  UniqueFd peer_;
};

}  // namespace crd::testing
