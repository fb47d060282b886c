#include <cstring>

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/victims/modes.h"

namespace crd::victims {
namespace {

struct Endpoint {
  sockaddr_storage address{};
  socklen_t size = 0;
  [[nodiscard]] sockaddr* get() { return reinterpret_cast<sockaddr*>(&address); }
  [[nodiscard]] int port() const {
    // At the same place in both kinds of address.
    return ntohs(reinterpret_cast<const sockaddr_in*>(&address)->sin_port);
  }
};

Endpoint Loopback(int version) {
  Endpoint endpoint;
  if (version == 6) {
    auto* v6 = reinterpret_cast<sockaddr_in6*>(&endpoint.address);
    v6->sin6_family = AF_INET6;
    v6->sin6_addr = in6addr_loopback;
    endpoint.size = sizeof(sockaddr_in6);
  } else {
    auto* v4 = reinterpret_cast<sockaddr_in*>(&endpoint.address);
    v4->sin_family = AF_INET;
    v4->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    endpoint.size = sizeof(sockaddr_in);
  }
  return endpoint;
}

int NewSocket(Self& self, const Endpoint& endpoint) {
  return self.RequireCall(
      ::socket(endpoint.address.ss_family, SOCK_STREAM | SOCK_CLOEXEC, IPPROTO_TCP),
      "make a socket");
}

// Every address that there is, of both versions.
Endpoint Anywhere() {
  Endpoint endpoint;
  auto* v6 = reinterpret_cast<sockaddr_in6*>(&endpoint.address);
  v6->sin6_family = AF_INET6;
  v6->sin6_addr = in6addr_any;
  endpoint.size = sizeof(sockaddr_in6);
  return endpoint;
}

// A listening socket; `endpoint` gets its port.
int Listen(Self& self, Endpoint& endpoint) {
  const int fd = NewSocket(self, endpoint);
  self.RequireCall(::bind(fd, endpoint.get(), endpoint.size), "bind");
  self.RequireCall(::listen(fd, 16), "listen");
  self.RequireCall(::getsockname(fd, endpoint.get(), &endpoint.size), "ask for the port");
  return fd;
}

void WriteAll(Self& self, int fd, const char* data, std::size_t size) {
  while (size > 0) {
    const ssize_t put = ::send(fd, data, size, MSG_NOSIGNAL);
    self.RequireCall(put, "send");
    data += put;
    size -= static_cast<std::size_t>(put);
  }
}

void ReadAll(Self& self, int fd, char* data, std::size_t size) {
  while (size > 0) {
    const ssize_t got = ::recv(fd, data, size, 0);
    self.RequireCall(got, "receive");
    self.Require(got > 0, "the connection was closed");
    data += got;
    size -= static_cast<std::size_t>(got);
  }
}

void Echo(Self& self, int fd) {
  for (;;) {
    char data[1024];
    const ssize_t got = ::recv(fd, data, sizeof data, 0);
    self.RequireCall(got, "receive");
    self.Require(got > 0, "the connection was closed");
    WriteAll(self, fd, data, static_cast<std::size_t>(got));
  }
}

}  // namespace

void Tcp(Self& self, const Arguments& arguments) {
  const int activity = self.Activities(1);
  Endpoint endpoint = Loopback(arguments.Number(0, 4));
  const int listener = Listen(self, endpoint);
  self.SetValue(0, endpoint.port());
  const int client = NewSocket(self, endpoint);
  self.RequireCall(::connect(client, endpoint.get(), endpoint.size), "connect");
  const int server = self.RequireCall(::accept(listener, nullptr, nullptr), "accept");
  const int one = 1;
  self.RequireCall(::setsockopt(client, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one), "no delay");
  ::close(listener);
  ForkChild(self, [&] {
    ::close(client);
    Echo(self, server);
  });
  ::close(server);
  self.Ready();
  for (std::uint64_t count = 1;; ++count) {
    std::uint64_t message[16];
    for (std::uint64_t& word : message) word = count;
    std::uint64_t answer[16] = {};
    WriteAll(self, client, reinterpret_cast<const char*>(message), sizeof message);
    ReadAll(self, client, reinterpret_cast<char*>(answer), sizeof answer);
    self.Require(std::memcmp(message, answer, sizeof answer) == 0, "the echo is wrong");
    self.Tick(activity, count);
    Self::Pause();
  }
}

void Listener(Self& self, const Arguments&) {
  const int activity = self.Activities(1);
  Endpoint endpoint = Loopback(4);
  const int listener = Listen(self, endpoint);
  self.SetValue(0, endpoint.port());
  self.Ready();
  for (std::uint64_t count = 1;; ++count) {
    self.Tick(activity, count);
    pollfd waiting{.fd = listener, .events = POLLIN, .revents = 0};
    if (::poll(&waiting, 1, 1) <= 0) continue;
    const int client = self.RequireCall(::accept(listener, nullptr, nullptr), "accept");
    char data[256];
    const ssize_t got = ::recv(client, data, sizeof data, 0);
    if (got > 0) WriteAll(self, client, data, static_cast<std::size_t>(got));
    ::close(client);
  }
}

// One connection after the other, each until its client closes it.
void Server(Self& self, const Arguments& arguments) {
  const int activity = self.Activities(1);
  const bool anywhere = std::strcmp(arguments.Text(0), "anywhere") == 0;
  Endpoint endpoint = anywhere ? Anywhere() : Loopback(4);
  const int listener = Listen(self, endpoint);
  self.SetValue(0, endpoint.port());
  self.Ready();
  std::uint64_t count = 0;
  int client = -1;
  for (;;) {
    self.Tick(activity, ++count);
    pollfd waiting{.fd = client < 0 ? listener : client, .events = POLLIN, .revents = 0};
    if (::poll(&waiting, 1, 1) <= 0) continue;
    if (client < 0) {
      client = self.RequireCall(::accept(listener, nullptr, nullptr), "accept");
      continue;
    }
    char data[256];
    const ssize_t got = ::recv(client, data, sizeof data, 0);
    if (got > 0) {
      WriteAll(self, client, data, static_cast<std::size_t>(got));
    } else {
      ::close(client);
      client = -1;
    }
  }
}

void Backlog(Self& self, const Arguments& arguments) {
  const int activity = self.Activities(1);
  const bool anywhere = std::strcmp(arguments.Text(0), "anywhere") == 0;
  Endpoint endpoint = anywhere ? Anywhere() : Loopback(4);
  Listen(self, endpoint);
  self.SetValue(0, endpoint.port());
  self.Ready();
  for (std::uint64_t count = 1;; ++count) {
    self.Tick(activity, count);
    Self::Pause();
  }
}

}  // namespace crd::victims
