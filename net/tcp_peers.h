#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <sys/types.h>

#include "daemon/base/result.h"
#include "daemon/base/unique_fd.h"
#include "net/tcp_segments.h"

namespace crd::net {

// The ends of TCP connections that a stopped tree has, and packets in its name, by which their
// peers wait without backing off and go on at once (ARCHITECTURE.md, "The pause of a connection").

struct TcpConnection {
  SegmentHeader next;       // of the next packet that it would send: what it has, what it can take
  std::uint32_t scope = 0;  // interface of a link-local peer
  bool peer_may_send = true;  // it has not closed its side
  std::uint32_t first_in_flight = 0;
  std::string in_flight;  // what was sent and is not acknowledged: its beginning
  std::size_t segment_size = 0;
};

// Connections of these processes, except those between two of them. The processes are stopped.
// Sockets that are in repair mode stay in it; others are put into it meanwhile (Linux 4.19). A
// process or socket that has gone is left out. Any thread; needs CAP_SYS_PTRACE and CAP_NET_ADMIN.
std::vector<TcpConnection> ReadTcpConnections(const std::vector<pid_t>& pids);

// Tells the peers that there is no room: what they want to send from now on waits in their sockets
// instead of being sent in vain, again and again, at ever longer intervals (RFC 9293, 3.8.6.1).
Result<void> CloseWindows(const std::vector<TcpConnection>& connections, FdRef netns);

// Makes the peers send what they have: tells them that there is room, sends again what was in
// flight to them, and takes back `backoffs` doublings of the time after which they send again what
// was in flight from them (RFC 6069, by ICMP; Linux 2.6.32, for IPv6 5.10).
Result<void> WakePeers(const std::vector<TcpConnection>& connections, int backoffs, FdRef netns);

}  // namespace crd::net
