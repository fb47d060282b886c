#include "net/tcp_peers.h"

#include <algorithm>
#include <cstring>
#include <optional>
#include <set>
#include <tuple>

#include <fcntl.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "daemon/base/pid_fd.h"
#include "daemon/base/proc.h"
#include "net/netns.h"

namespace crd::net {
namespace {

// Of <linux/tcp.h>: what TCP_REPAIR_QUEUE chooses.
constexpr int kNoQueue = 0;
constexpr int kReceiveQueue = 1;
constexpr int kSendQueue = 2;
constexpr int kRepairOn = 1;
constexpr int kRepairOff = -1;  // without a window probe
// What a connection may send at once that knows nothing of the way (RFC 6928).
constexpr std::size_t kInitialWindow = 10;
// CRIU's lock lets packets pass that bear this mark (criu 4.2, soccr.h).
constexpr int kCriuMark = 0xC114;

template <typename T>
std::optional<T> Option(FdRef socket, int level, int name) {
  T value{};
  socklen_t size = sizeof value;
  if (::getsockopt(socket.get(), level, name, &value, &size) != 0) return std::nullopt;
  return value;
}
bool Set(FdRef socket, int level, int name, int value) {
  return ::setsockopt(socket.get(), level, name, &value, sizeof value) == 0;
}

// Repair mode for as long as it lives, unless the socket is in it anyway.
class RepairMode {
 public:
  explicit RepairMode(FdRef socket)
      : socket_(socket), was_on_(Option<int>(socket, IPPROTO_TCP, TCP_REPAIR) == kRepairOn) {
    if (was_on_) return;
    // The kernel forgets it together with repair mode.
    reuse_ = Option<int>(socket, SOL_SOCKET, SO_REUSEADDR).value_or(0);
    on_ = Set(socket, IPPROTO_TCP, TCP_REPAIR, kRepairOn);
  }
  RepairMode(const RepairMode&) = delete;
  RepairMode& operator=(const RepairMode&) = delete;
  ~RepairMode() {
    if (was_on_) Set(socket_, IPPROTO_TCP, TCP_REPAIR_QUEUE, kNoQueue);
    if (!on_) return;
    Set(socket_, IPPROTO_TCP, TCP_REPAIR, kRepairOff);
    Set(socket_, SOL_SOCKET, SO_REUSEADDR, reuse_);
  }
  [[nodiscard]] bool on() const { return was_on_ || on_; }
  [[nodiscard]] std::optional<std::uint32_t> SequenceOf(int queue) const {
    if (!Set(socket_, IPPROTO_TCP, TCP_REPAIR_QUEUE, queue)) return std::nullopt;
    return Option<std::uint32_t>(socket_, IPPROTO_TCP, TCP_QUEUE_SEQ);
  }

 private:
  const FdRef socket_;
  const bool was_on_;
  bool on_ = false;
  int reuse_ = 0;
};

struct End {
  Bytes address;
  std::uint16_t port = 0;
  std::uint32_t scope = 0;
};

Bytes BytesOf(const void* data, std::size_t size) {
  const auto* begin = static_cast<const unsigned char*>(data);
  return {begin, begin + size};
}

std::optional<End> ParseEnd(const sockaddr_storage& storage) {
  if (storage.ss_family == AF_INET) {
    const auto& v4 = reinterpret_cast<const sockaddr_in&>(storage);
    return End{.address = BytesOf(&v4.sin_addr, sizeof v4.sin_addr), .port = ntohs(v4.sin_port)};
  }
  if (storage.ss_family != AF_INET6) return std::nullopt;
  const auto& v6 = reinterpret_cast<const sockaddr_in6&>(storage);
  Bytes address = BytesOf(&v6.sin6_addr, sizeof v6.sin6_addr);
  // A socket of both versions that speaks IPv4.
  if (IN6_IS_ADDR_V4MAPPED(&v6.sin6_addr)) address.erase(address.begin(), address.end() - 4);
  return End{.address = std::move(address), .port = ntohs(v6.sin6_port), .scope = v6.sin6_scope_id};
}

std::optional<End> EndOf(FdRef socket, int (*ask)(int, sockaddr*, socklen_t*)) {
  sockaddr_storage storage{};
  socklen_t size = sizeof storage;
  if (ask(socket.get(), reinterpret_cast<sockaddr*>(&storage), &size) != 0) return std::nullopt;
  return ParseEnd(storage);
}

std::uint32_t Queued(FdRef socket, unsigned long what) {
  int bytes = 0;
  return ::ioctl(socket.get(), what, &bytes) == 0 ? static_cast<std::uint32_t>(bytes) : 0;
}

// Of the send queue, from what is not acknowledged on; the socket is in repair mode. Nothing if an
// acknowledgement came in between: then it might be of another place in the stream.
std::string PeekSent(FdRef socket, std::size_t size, std::uint32_t unacknowledged) {
  std::string data(size, '\0');
  const ssize_t got = ::recv(socket.get(), data.data(), size, MSG_PEEK | MSG_DONTWAIT);
  if (got <= 0 || Queued(socket, SIOCOUTQ) != unacknowledged) return "";
  // The kernel tells the length of the whole queue, however little it was given room for (Linux
  // 3.5, and still 6.18: tcp_peek_sndq).
  data.resize(std::min(size, static_cast<std::size_t>(got)));
  return data;
}

std::uint16_t ScaledWindow(const tcp_repair_window& window, std::uint32_t received, int scale) {
  const std::uint32_t room = window.rcv_wup + window.rcv_wnd - received;
  return static_cast<std::uint16_t>(std::min(room >> scale, 0xffffU));
}

std::optional<TcpConnection> ReadOne(FdRef socket) {
  if (Option<int>(socket, SOL_SOCKET, SO_PROTOCOL) != IPPROTO_TCP) return std::nullopt;
  const auto info = Option<tcp_info>(socket, IPPROTO_TCP, TCP_INFO);
  if (!info.has_value()) return std::nullopt;
  const bool may_hear = info->tcpi_state == TCP_ESTABLISHED || info->tcpi_state == TCP_FIN_WAIT2;
  if (!may_hear && info->tcpi_state != TCP_CLOSE_WAIT) return std::nullopt;
  const auto local = EndOf(socket, ::getsockname);
  const auto peer = EndOf(socket, ::getpeername);
  if (!local.has_value() || !peer.has_value()) return std::nullopt;

  const RepairMode repair(socket);
  if (!repair.on()) return std::nullopt;
  const auto received = repair.SequenceOf(kReceiveQueue);
  const auto window = Option<tcp_repair_window>(socket, IPPROTO_TCP, TCP_REPAIR_WINDOW);
  const auto written = repair.SequenceOf(kSendQueue);
  if (!received.has_value() || !window.has_value() || !written.has_value()) return std::nullopt;
  const std::uint32_t unacknowledged = Queued(socket, SIOCOUTQ);
  const std::uint32_t unsent = Queued(socket, SIOCOUTQNSD);
  const std::size_t segment = info->tcpi_snd_mss;
  TcpConnection connection{
      .next = {.source = local->address,
               .destination = peer->address,
               .source_port = local->port,
               .destination_port = peer->port,
               .sequence = *written - unsent,
               .acknowledged = *received,
               .window = ScaledWindow(*window, *received, info->tcpi_rcv_wscale)},
      .scope = peer->scope,
      .peer_may_send = may_hear,
      .first_in_flight = *written - unacknowledged,
      .in_flight =
          PeekSent(socket, std::min<std::size_t>(unacknowledged - unsent, kInitialWindow * segment),
                   unacknowledged),
      .segment_size = segment};
  if ((info->tcpi_options & TCPI_OPT_TIMESTAMPS) != 0) {
    connection.next.timestamp = Option<std::uint32_t>(socket, IPPROTO_TCP, TCP_TIMESTAMP);
  }
  return connection;
}

using Ends = std::tuple<Bytes, std::uint16_t, Bytes, std::uint16_t>;
Ends EndsOf(const SegmentHeader& header) {
  return {header.source, header.source_port, header.destination, header.destination_port};
}
Ends EndsOfPeer(const SegmentHeader& header) {
  return {header.destination, header.destination_port, header.source, header.source_port};
}

// A socket that sends what it is given as whole IP packets, in the thread's namespace.
class PacketSender {
 public:
  static Result<PacketSender> Open(int family) {
    UniqueFd socket(::socket(family, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, IPPROTO_RAW));
    if (!socket.valid()) return Error::Errno("make a socket for packets of others' connections");
    if (!Set(socket.ref(), SOL_SOCKET, SO_MARK, kCriuMark)) {
      return Error::Errno("mark packets as CRIU's own");
    }
    return PacketSender(std::move(socket));
  }
  // Best effort, as is everything on a network.
  void Send(const TcpConnection& connection, const Bytes& packet) const {
    const Bytes& to = connection.next.destination;
    sockaddr_storage storage{};
    socklen_t size = sizeof(sockaddr_in);
    if (to.size() == sizeof(in_addr)) {
      auto& v4 = reinterpret_cast<sockaddr_in&>(storage);
      v4.sin_family = AF_INET;
      std::memcpy(&v4.sin_addr, to.data(), to.size());
    } else {
      auto& v6 = reinterpret_cast<sockaddr_in6&>(storage);
      v6.sin6_family = AF_INET6;
      std::memcpy(&v6.sin6_addr, to.data(), to.size());
      v6.sin6_scope_id = connection.scope;
      size = sizeof v6;
    }
    static_cast<void>(::sendto(socket_.get(), packet.data(), packet.size(), MSG_NOSIGNAL,
                               reinterpret_cast<const sockaddr*>(&storage), size));
  }

 private:
  explicit PacketSender(UniqueFd socket) : socket_(std::move(socket)) {}
  UniqueFd socket_;
};

template <typename Speak>
Result<void> ForEach(const std::vector<TcpConnection>& connections, FdRef netns, Speak speak) {
  if (connections.empty()) return {};
  return RunInNetns(netns, [&]() -> Result<void> {
    std::optional<PacketSender> v4, v6;
    for (const TcpConnection& connection : connections) {
      const bool is_v4 = connection.next.source.size() == sizeof(in_addr);
      std::optional<PacketSender>& sender = is_v4 ? v4 : v6;
      if (!sender.has_value()) {
        sender.emplace(TRY(PacketSender::Open(is_v4 ? AF_INET : AF_INET6)));
      }
      speak(connection, [&](const Bytes& packet) { sender->Send(connection, packet); });
    }
    return {};
  });
}

}  // namespace

std::vector<TcpConnection> ReadTcpConnections(const std::vector<pid_t>& pids) {
  std::vector<TcpConnection> all;
  std::set<std::string> seen;  // processes share sockets
  for (const pid_t pid : pids) {
    const auto process = PidFd::Open(pid);
    const auto directory = proc::ProcDir::Open(pid);
    if (!process.ok() || !directory.ok()) continue;
    const auto numbers = directory->ListNumbers("fd");
    if (!numbers.ok()) continue;
    for (const int fd : *numbers) {
      const auto link = directory->ReadLink(fmt::format("fd/{}", fd));
      if (!link.ok() || !link->starts_with("socket:") || !seen.insert(*link).second) continue;
      const auto socket = proc::CopyDescriptor(process->fd(), fd);
      if (!socket.ok()) continue;
      if (auto connection = ReadOne(socket->ref())) all.push_back(*std::move(connection));
    }
  }
  std::set<Ends> ends;
  for (const TcpConnection& connection : all) ends.insert(EndsOf(connection.next));
  std::vector<TcpConnection> outward;
  for (TcpConnection& connection : all) {
    if (!ends.contains(EndsOfPeer(connection.next))) outward.push_back(std::move(connection));
  }
  return outward;
}

Result<void> CloseWindows(const std::vector<TcpConnection>& connections, FdRef netns) {
  return ForEach(connections, netns, [](const TcpConnection& connection, const auto& send) {
    if (!connection.peer_may_send) return;
    SegmentHeader header = connection.next;
    header.window = 0;
    send(SegmentPacket(header, ""));
  });
}

Result<void> WakePeers(const std::vector<TcpConnection>& connections, int backoffs, FdRef netns) {
  return ForEach(connections, netns, [&](const TcpConnection& connection, const auto& send) {
    // Peers process an acknowledgement only if its sequence number is the one that they expect.
    send(SegmentPacket(connection.next, ""));
    SegmentHeader header = connection.next;
    std::string_view data = connection.in_flight;
    for (header.sequence = connection.first_in_flight; !data.empty();) {
      const std::size_t size = std::min(data.size(), connection.segment_size);
      send(SegmentPacket(header, data.substr(0, size)));
      header.sequence += static_cast<std::uint32_t>(size);
      data.remove_prefix(size);
    }
    if (!connection.peer_may_send) return;
    for (int i = 0; i < backoffs; ++i) send(UnreachablePacket(connection.next));
  });
}

}  // namespace crd::net
