#include "daemon/core/tcp_pause.h"

#include "daemon/base/log.h"
#include "net/netns.h"

namespace crd {
namespace {

// Of Linux: between the first time that data is sent and the second; then twice that, and so on.
constexpr WallMicros kFirstInterval = 200'000;
constexpr int kMostBackoffs = 15;  // net.ipv4.tcp_retries2

// How often a peer can have doubled its interval meanwhile, and once more for good measure.
int BackoffsIn(WallMicros away) {
  int backoffs = 2;
  for (WallMicros interval = kFirstInterval; interval < away && backoffs < kMostBackoffs;
       interval *= 2) {
    ++backoffs;
  }
  return backoffs;
}

void LogFailure(const char* what, const Result<void>& done) {
  if (!done.ok()) spdlog::warn("{}: {}, ignoring", what, done.error().message);
}

}  // namespace

TcpPause TcpPause::Of(const ProcessTree& tree) {
  TcpPause pause;
  auto netns = net::OpenNetns(fmt::format("/proc/{}/ns/net", tree.root().pid));
  if (!netns.ok()) return pause;
  std::vector<pid_t> pids;
  for (const TreeProcess& process : tree.processes()) {
    if (!process.zombie()) pids.push_back(process.pid);
  }
  pause.netns_ = *std::move(netns);
  pause.connections_ = net::ReadTcpConnections(pids);
  return pause;
}

void TcpPause::Begin() const {
  LogFailure("let the peers of connections wait", net::CloseWindows(connections_, netns_.ref()));
}

void TcpPause::End(WallMicros away) const {
  LogFailure("wake the peers of connections",
             net::WakePeers(connections_, BackoffsIn(away), netns_.ref()));
}

}  // namespace crd
