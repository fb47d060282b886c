// Connections to somebody outside of the tree.

#include <cerrno>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/victims/modes.h"
#include "tests/victims/pattern.h"

namespace crd::victims {
namespace {

constexpr std::size_t kChunk = 4096;

sockaddr_in6 Anywhere() {
  sockaddr_in6 address{};
  address.sin6_family = AF_INET6;
  address.sin6_addr = in6addr_any;
  return address;
}

// A socket for both versions; values[0] gets its port.
int Bind(Self& self, int type) {
  const int fd = self.RequireCall(::socket(AF_INET6, type | SOCK_CLOEXEC, 0), "make a socket");
  sockaddr_in6 address = Anywhere();
  socklen_t size = sizeof address;
  self.RequireCall(::bind(fd, reinterpret_cast<sockaddr*>(&address), size), "bind");
  if (type == SOCK_STREAM) self.RequireCall(::listen(fd, 16), "listen");
  self.RequireCall(::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size), "ask");
  self.SetValue(0, ntohs(address.sin6_port));
  return fd;
}

int Connect(Self& self, const char* address, int port) {
  sockaddr_in6 v6{};
  sockaddr_in v4{};
  v6.sin6_family = AF_INET6;
  v4.sin_family = AF_INET;
  v6.sin6_port = v4.sin_port = htons(static_cast<std::uint16_t>(port));
  const bool is_v4 = ::inet_pton(AF_INET, address, &v4.sin_addr) == 1;
  if (!is_v4) self.Require(::inet_pton(AF_INET6, address, &v6.sin6_addr) == 1, "no address");
  const int fd = self.RequireCall(
      ::socket(is_v4 ? AF_INET : AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0), "socket");
  const auto* target = is_v4 ? reinterpret_cast<sockaddr*>(&v4) : reinterpret_cast<sockaddr*>(&v6);
  self.RequireCall(::connect(fd, target, is_v4 ? sizeof v4 : sizeof v6), "connect");
  return fd;
}

bool WouldWait(ssize_t result) { return result < 0 && (errno == EAGAIN || errno == EWOULDBLOCK); }

}  // namespace

// Both directions at once, as much as goes in, each byte checked.
void Stream(Self& self, const Arguments& arguments) {
  const int activity = self.Activities(1);
  std::uint64_t received = 0;
  int fd = -1;
  if (arguments.count > 0) {
    fd = Connect(self, arguments.Text(0), arguments.Number(1, 0));
    self.Tick(activity, 1);
    self.Ready();
  } else {
    const int listener = Bind(self, SOCK_STREAM);
    self.Tick(activity, 1);
    self.Ready();
    fd = self.RequireCall(::accept(listener, nullptr, nullptr), "accept");
  }
  std::uint64_t sent = 0;
  for (;;) {
    pollfd ready{.fd = fd, .events = POLLIN | POLLOUT, .revents = 0};
    // A checkpoint interrupts it, as a signal would.
    self.Require(::poll(&ready, 1, -1) >= 0 || errno == EINTR, "poll");
    unsigned char data[kChunk];
    const ssize_t got = ::recv(fd, data, sizeof data, MSG_DONTWAIT);
    self.Require(got > 0 || WouldWait(got), "the connection was closed");
    for (ssize_t i = 0; i < got; ++i) {
      self.Require(data[i] == PatternAt(received++), "the stream is damaged");
    }
    if (got > 0) self.Tick(activity, received + 1);
    for (std::size_t i = 0; i < sizeof data; ++i) data[i] = PatternAt(sent + i);
    const ssize_t put = ::send(fd, data, sizeof data, MSG_DONTWAIT | MSG_NOSIGNAL);
    self.Require(put > 0 || WouldWait(put), "the connection cannot be written to");
    if (put > 0) sent += static_cast<std::uint64_t>(put);
  }
}

// values[1]: bytes received. Shuts its side on an "S"; once the other side is shut it sends dots.
void HalfClosed(Self& self, const Arguments&) {
  const int activity = self.Activities(1);
  const int listener = Bind(self, SOCK_STREAM);
  self.Tick(activity, 1);
  self.Ready();
  const int fd = self.RequireCall(::accept(listener, nullptr, nullptr), "accept");
  std::int64_t received = 0;
  bool peer_shut = false;
  for (std::uint64_t count = 2;; ++count) {
    self.Tick(activity, count);
    Self::Pause();
    if (peer_shut) {
      self.RequireCall(::send(fd, ".", 1, MSG_NOSIGNAL), "send");
      continue;
    }
    char data[64];
    const ssize_t got = ::recv(fd, data, sizeof data, MSG_DONTWAIT);
    if (WouldWait(got)) continue;
    self.RequireCall(got, "receive");
    peer_shut = got == 0;
    if (got > 0 && data[0] == 'S') self.RequireCall(::shutdown(fd, SHUT_WR), "shut");
    received += got;
    self.SetValue(1, received);
  }
}

// Sends back what it gets.
void Udp(Self& self, const Arguments&) {
  const int activity = self.Activities(1);
  const int fd = Bind(self, SOCK_DGRAM);
  self.Ready();
  for (std::uint64_t count = 1;; ++count) {
    self.Tick(activity, count);
    Self::Pause();
    sockaddr_in6 from{};
    socklen_t size = sizeof from;
    char data[64];
    const ssize_t got =
        ::recvfrom(fd, data, sizeof data, MSG_DONTWAIT, reinterpret_cast<sockaddr*>(&from), &size);
    if (got <= 0) continue;
    ::sendto(fd, data, static_cast<std::size_t>(got), 0, reinterpret_cast<sockaddr*>(&from), size);
  }
}

}  // namespace crd::victims
