#include "daemon/core/inspect_sockets.h"

#include <cstring>
#include <optional>
#include <set>
#include <string>
#include <utility>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <netinet/udp.h>
#include <poll.h>
#include <sys/socket.h>

#include "daemon/base/pid_fd.h"
#include "daemon/base/proc.h"
#include "daemon/core/inspect_unix.h"

namespace crd {
namespace {

int Option(FdRef socket, int level, int name) {
  int value = -1;
  socklen_t size = sizeof value;
  return ::getsockopt(socket.get(), level, name, &value, &size) == 0 ? value : -1;
}

std::string Render(const sockaddr_storage& address) {
  char text[INET6_ADDRSTRLEN] = "?";
  if (address.ss_family == AF_INET) {
    sockaddr_in in{};
    std::memcpy(&in, &address, sizeof in);
    ::inet_ntop(AF_INET, &in.sin_addr, text, sizeof text);
    return fmt::format("{}:{}", text, ntohs(in.sin_port));
  }
  sockaddr_in6 in6{};
  std::memcpy(&in6, &address, sizeof in6);
  ::inet_ntop(AF_INET6, &in6.sin6_addr, text, sizeof text);
  return fmt::format("[{}]:{}", text, ntohs(in6.sin6_port));
}

std::string StateName(std::uint8_t state) {
  constexpr const char* kNames[] = {"",           "established", "syn-sent",  "syn-recv",
                                    "fin-wait-1", "fin-wait-2",  "time-wait", "close",
                                    "close-wait", "last-ack",    "listen",    "closing"};
  return state < std::size(kNames) ? kNames[state] : std::to_string(state);
}

std::string ProtocolName(int protocol) {
  if (protocol == IPPROTO_TCP) return "tcp";
  return protocol == IPPROTO_UDP ? "udp" : std::to_string(protocol);
}

using NameOf = int (*)(int, sockaddr*, socklen_t*);

std::string Address(FdRef socket, NameOf name_of) {
  sockaddr_storage address{};
  socklen_t size = sizeof address;
  // The one cast that the socket API asks for.
  if (name_of(socket.get(), reinterpret_cast<sockaddr*>(&address), &size) != 0) return "?";
  return Render(address);
}

std::string AddressOrNone(FdRef socket, NameOf name_of) {
  const std::string address = Address(socket, name_of);
  return address == "?" ? "" : address;
}

// What CRIU dumps of the internet's protocols (criu 4.2, sk-inet.c: can_dump_ipproto).
bool KnownProtocol(int protocol) {
  switch (protocol) {
    case IPPROTO_IP:
    case IPPROTO_TCP:
    case IPPROTO_UDP:
    case IPPROTO_UDPLITE:
    case IPPROTO_ICMP:
    case IPPROTO_ICMPV6:
      return true;
    default:
      return false;
  }
}

struct TcpState {
  std::uint8_t number = TCP_CLOSE;
  bool connected = false;
  unsigned waiting = 0;  // connections that a listener has not accepted
};

TcpState ReadTcpState(FdRef socket) {
  tcp_info info{};
  socklen_t size = sizeof info;
  if (::getsockopt(socket.get(), IPPROTO_TCP, TCP_INFO, &info, &size) != 0) return {};
  if (info.tcpi_state == TCP_CLOSE) return {};
  // The kernel reuses this field for the length of a listener's queue.
  if (info.tcpi_state == TCP_LISTEN) return {.number = TCP_LISTEN, .waiting = info.tcpi_unacked};
  return {.number = info.tcpi_state, .connected = true};
}

// Looks at one process's sockets, all but the unix ones.
class ProcessSockets {
 public:
  ProcessSockets(const TreeProcess& process, const criu::DumpOptions& options)
      : process_(process), options_(options) {}

  void Look(int fd, FdRef socket, int family) {
    switch (family) {
      case AF_INET:
      case AF_INET6:
        return LookInet(fd, socket);
      case AF_NETLINK: {
        pollfd poll_fd{.fd = socket.get(), .events = POLLIN, .revents = 0};
        if (::poll(&poll_fd, 1, 0) == 1) Add(refusal::NetlinkHasData(process_, fd));
        return;
      }
      case AF_PACKET:
        sockets_.push_back({.protocol = "packet", .pid = process_.pid, .fd = fd});
        return;
      default:
        return Add(refusal::SocketFamily(process_, fd, family));
    }
  }

  Findings Finish() && {
    if (connections_ > 0) Add(refusal::EstablishedTcp(process_, connections_, connection_));
    return {.obstacles = std::move(obstacles_), .sockets = std::move(sockets_)};
  }

 private:
  void LookInet(int fd, FdRef socket) {
    const int type = Option(socket, SOL_SOCKET, SO_TYPE);
    const int protocol = Option(socket, SOL_SOCKET, SO_PROTOCOL);
    OpenSocket& open =
        sockets_.emplace_back(OpenSocket{.protocol = ProtocolName(protocol),
                                         .local = AddressOrNone(socket, ::getsockname),
                                         .peer = AddressOrNone(socket, ::getpeername),
                                         .pid = process_.pid,
                                         .fd = fd});
    if (type == SOCK_RAW) return;
    if (!KnownProtocol(protocol) || (type != SOCK_STREAM && type != SOCK_DGRAM)) {
      return Add(refusal::SocketProtocol(process_, fd, protocol));
    }
    if (protocol == IPPROTO_UDP || protocol == IPPROTO_UDPLITE) {
      if (Option(socket, IPPROTO_UDP, UDP_CORK) == 1) Add(refusal::CorkedUdp(process_, fd));
      return;
    }
    if (protocol != IPPROTO_TCP) return;
    const TcpState state = ReadTcpState(socket);
    open.state = StateName(state.number);
    if (state.waiting > 0 && !options_.tcp_skip_in_flight) {
      Add(refusal::PendingTcp(process_, fd, Address(socket, ::getsockname), state.waiting));
    }
    if (state.connected && !options_.tcp_established && connections_++ == 0) {
      connection_ =
          fmt::format("{} -> {}", Address(socket, ::getsockname), Address(socket, ::getpeername));
    }
  }
  void Add(Error error) { obstacles_.push_back({process_.pid, std::move(error)}); }

  const TreeProcess& process_;
  const criu::DumpOptions& options_;
  std::vector<Obstacle> obstacles_;
  std::vector<OpenSocket> sockets_;
  std::size_t connections_ = 0;
  std::string connection_;
};

}  // namespace

Findings InspectSockets(const ProcessTree& tree, const std::vector<Descriptor>& descriptors,
                        const criu::DumpOptions& options) {
  Findings findings;
  std::set<ino_t> seen;
  std::vector<const Descriptor*> unix_sockets;
  for (auto at = descriptors.begin(); at != descriptors.end();) {
    const pid_t pid = at->pid;
    const TreeProcess& process = *tree.Find(pid);
    ProcessSockets sockets(process, options);
    std::optional<PidFd> pidfd;
    for (; at != descriptors.end() && at->pid == pid; ++at) {
      if (at->kind != Descriptor::Kind::kSocket || !seen.insert(at->inode).second) continue;
      if (!pidfd.has_value()) {
        Result<PidFd> opened = PidFd::Reopen(process.identity());
        if (!opened.ok()) continue;
        pidfd = std::move(opened).value();
      }
      const Result<UniqueFd> socket = proc::CopyDescriptor(pidfd->fd(), at->fd);
      if (!socket.ok()) continue;
      const int family = Option(socket.value().ref(), SOL_SOCKET, SO_DOMAIN);
      if (family == AF_UNIX) {
        unix_sockets.push_back(&*at);
      } else if (family >= 0) {
        sockets.Look(at->fd, socket.value().ref(), family);
      }
    }
    findings.Append(std::move(sockets).Finish());
  }
  if (!unix_sockets.empty()) {
    findings.Append(InspectUnixSockets(tree, descriptors, unix_sockets, options));
  }
  return findings;
}

}  // namespace crd
