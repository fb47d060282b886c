#include <cstring>

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "tests/victims/modes.h"

namespace crd::victims {
namespace {

// Sends numbers and checks what comes back: one more than was sent.
void Ask(Self& self, int out, int in, int activity) {
  for (std::uint64_t count = 1;; count += 2) {
    std::uint64_t answer = 0;
    self.Require(::write(out, &count, sizeof count) == sizeof count, "send a question");
    self.Require(::read(in, &answer, sizeof answer) == sizeof answer, "receive an answer");
    self.Require(answer == count + 1, "the answer is wrong");
    self.Tick(activity, count);
    Self::Pause();
  }
}

void Answer(Self& self, int in, int out) {
  for (;;) {
    std::uint64_t question = 0;
    self.Require(::read(in, &question, sizeof question) == sizeof question, "receive a question");
    ++question;
    self.Require(::write(out, &question, sizeof question) == sizeof question, "send an answer");
  }
}

struct Address {
  sockaddr_un name{};
  socklen_t size = 0;
  [[nodiscard]] const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&name); }
};

Address MakeAddress(const std::string& path) {
  Address address;
  address.name.sun_family = AF_UNIX;
  std::memcpy(static_cast<char*>(address.name.sun_path), path.data(), path.size());
  address.size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + path.size());
  return address;
}

int Bound(Self& self, int type, const std::string& path) {
  const int fd = self.RequireCall(::socket(AF_UNIX, type | SOCK_CLOEXEC, 0), "make a socket");
  const Address address = MakeAddress(path);
  self.RequireCall(::bind(fd, address.get(), address.size), "name a socket");
  return fd;
}

int Connected(Self& self, int type, const std::string& path) {
  const int fd = self.RequireCall(::socket(AF_UNIX, type | SOCK_CLOEXEC, 0), "make a socket");
  const Address address = MakeAddress(path);
  self.RequireCall(::connect(fd, address.get(), address.size), "connect a socket");
  return fd;
}

// A pipe that always has some bytes in it: each is what it should be when it comes out.
void KeepPipeFilled(Self& self, int activity) {
  int ends[2];
  self.RequireCall(::pipe2(ends, O_CLOEXEC), "make a pipe");
  std::uint8_t in = 0;
  std::uint8_t out = 0;
  for (int i = 0; i < 5000; ++i) {
    self.Require(::write(ends[1], &in, 1) == 1, "fill a pipe");
    ++in;
  }
  for (std::uint64_t count = 1;; ++count) {
    std::uint8_t byte = 0;
    self.Require(::read(ends[0], &byte, 1) == 1 && byte == out, "a pipe's content is wrong");
    self.Require(::write(ends[1], &in, 1) == 1, "fill a pipe");
    ++in;
    ++out;
    self.Tick(activity, count);
    Self::Pause();
  }
}

}  // namespace

void Pipes(Self& self, const Arguments&) {
  const int first = self.Activities(2);
  int there[2];
  int back[2];
  self.RequireCall(::pipe2(there, O_CLOEXEC), "make a pipe");
  self.RequireCall(::pipe2(back, O_CLOEXEC), "make a pipe");
  ForkChild(self, [&] {
    ::close(there[1]);
    ::close(back[0]);
    Answer(self, there[0], back[1]);
  });
  ::close(there[0]);
  ::close(back[1]);
  ForkChild(self, [&] { KeepPipeFilled(self, first + 1); });
  self.Ready();
  Ask(self, there[1], back[0], first);
}

void UnixSockets(Self& self, const Arguments&) {
  const int first = self.Activities(4);
  int pair[2];
  self.RequireCall(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), "make a pair");
  const std::string stream_path = self.Beside("stream");
  const std::string abstract_path = std::string(1, '\0') + self.Beside("abstract");
  const std::string datagram_path = self.Beside("datagram");
  const std::string reply_path = self.Beside("reply");
  for (const std::string& path : {stream_path, datagram_path, reply_path}) ::unlink(path.c_str());

  const int stream = Bound(self, SOCK_STREAM, stream_path);
  self.RequireCall(::listen(stream, 4), "listen");
  const int abstract = Bound(self, SOCK_SEQPACKET, abstract_path);
  self.RequireCall(::listen(abstract, 4), "listen");
  const int datagram = Bound(self, SOCK_DGRAM, datagram_path);
  const int reply = Bound(self, SOCK_DGRAM, reply_path);
  const Address to = MakeAddress(datagram_path);
  const Address from = MakeAddress(reply_path);
  self.RequireCall(::connect(datagram, from.get(), from.size), "connect a datagram socket");
  self.RequireCall(::connect(reply, to.get(), to.size), "connect a datagram socket");

  ForkChild(self, [&] { Answer(self, pair[1], pair[1]); });
  const int stream_client = Connected(self, SOCK_STREAM, stream_path);
  const int abstract_client = Connected(self, SOCK_SEQPACKET, abstract_path);
  const int stream_server = self.RequireCall(::accept(stream, nullptr, nullptr), "accept");
  const int abstract_server = self.RequireCall(::accept(abstract, nullptr, nullptr), "accept");
  ForkChild(self, [&] { Answer(self, stream_server, stream_server); });
  ForkChild(self, [&] { Answer(self, abstract_server, abstract_server); });
  ForkChild(self, [&] { Answer(self, datagram, datagram); });
  ForkChild(self, [&] { Ask(self, stream_client, stream_client, first + 1); });
  ForkChild(self, [&] { Ask(self, abstract_client, abstract_client, first + 2); });
  ForkChild(self, [&] { Ask(self, reply, reply, first + 3); });
  self.Ready();
  Ask(self, pair[0], pair[0], first);
}

void UnixClient(Self& self, const Arguments& arguments) {
  const int activity = self.Activities(1);
  const bool datagram = std::strcmp(arguments.Text(1), "dgram") == 0;
  Connected(self, datagram ? SOCK_DGRAM : SOCK_STREAM, arguments.Text(0));
  self.Ready();
  for (std::uint64_t count = 1;; ++count) {
    self.Tick(activity, count);
    Self::Pause();
  }
}

}  // namespace crd::victims
