#include "daemon/criu/connection.h"

#include <csignal>
#include <cstring>
#include <optional>

#include <fcntl.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/socket.h>

namespace crd::criu {
namespace {

constexpr int kSocketInCriu = 3;
constexpr std::size_t kPacketLimit = 1U << 20U;
constexpr std::size_t kComplaintsLimit = 2048;

// Every descriptor that came with a message: one that nobody takes is closed, and one that is not
// received properly would stay open for ever.
std::vector<UniqueFd> TakeDescriptors(msghdr& header) {
  std::vector<UniqueFd> taken;
  for (cmsghdr* part = CMSG_FIRSTHDR(&header); part != nullptr; part = CMSG_NXTHDR(&header, part)) {
    if (part->cmsg_level != SOL_SOCKET || part->cmsg_type != SCM_RIGHTS) continue;
    const std::size_t count = (part->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (std::size_t i = 0; i < count; ++i) {
      int received = -1;
      std::memcpy(&received, CMSG_DATA(part) + i * sizeof(int), sizeof received);
      taken.emplace_back(received);
    }
  }
  return taken;
}

// The packet that waits on the socket; empty when there is none (yet).
Result<std::optional<Incoming>> TakePacket(FdRef socket) {
  // Its size first: packets are short, but may be long.
  char probe = 0;
  const ssize_t size =
      ::recv(socket.get(), &probe, sizeof probe, MSG_PEEK | MSG_TRUNC | MSG_DONTWAIT);
  if (size < 0 && (errno == EAGAIN || errno == EINTR)) return std::optional<Incoming>();
  if (size < 0 && errno != ECONNRESET) return Error::Errno("receive from CRIU");
  if (size <= 0) return std::optional<Incoming>(Incoming{.arrival = Arrival::kClosed});
  if (static_cast<std::size_t>(size) > kPacketLimit) {
    return Error{.code = Code::kDataLoss,
                 .message = fmt::format("CRIU sent a message of {} bytes; none is larger than {}",
                                        size, kPacketLimit)};
  }
  Incoming incoming{.arrival = Arrival::kPacket,
                    .packet = std::string(static_cast<std::size_t>(size), '\0'),
                    .descriptors = {}};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int) * 16)];
  iovec part{.iov_base = incoming.packet.data(), .iov_len = incoming.packet.size()};
  msghdr header{};
  header.msg_iov = &part;
  header.msg_iovlen = 1;
  header.msg_control = control;
  header.msg_controllen = sizeof control;
  if (::recvmsg(socket.get(), &header, MSG_CMSG_CLOEXEC | MSG_DONTWAIT) != size) {
    return Error::Errno("receive {} bytes from CRIU", size);
  }
  incoming.descriptors = TakeDescriptors(header);
  return std::optional<Incoming>(std::move(incoming));
}

}  // namespace

std::string Ending::ToString() const {
  if (killed) return "CRIU had to be killed";
  if (status.signal) return fmt::format("CRIU was killed by signal {}", *status.signal);
  if (status.code) return fmt::format("CRIU ended with status {}", *status.code);
  return "CRIU ended";
}

Connection::Connection(Child child, UniqueFd socket, UniqueFd complaints)
    : child_(std::move(child)), socket_(std::move(socket)), complaints_(std::move(complaints)) {}

Result<Connection> Connection::Open(Children& children, const ConnectionSpec& spec) {
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0) {
    return Error::Errno("make a socket pair for CRIU");
  }
  UniqueFd ours(ends[0]);
  const UniqueFd theirs(ends[1]);
  const UniqueFd null(::open("/dev/null", O_RDWR | O_CLOEXEC));
  if (!null.valid()) return Error::Errno("open /dev/null");

  LaunchSpec launch{
      .argv = {spec.path, "--no-default-config", "swrk", std::to_string(kSocketInCriu)},
      .descriptors = {{theirs.ref(), kSocketInCriu}, {null.ref(), 0}, {null.ref(), 1}},
      .cgroup = spec.cgroup,
      .cgroups_v1 = spec.cgroups_v1,
      .namespaces = spec.namespaces};
  UniqueFd complaints(::memfd_create("criu-stderr", MFD_CLOEXEC));
  launch.descriptors.emplace_back(complaints.valid() ? complaints.ref() : null.ref(), 2);
  launch.descriptors.insert(launch.descriptors.end(), spec.inherit.begin(), spec.inherit.end());

  Child child = TRY(children.Launch(launch));
  return Connection(std::move(child), std::move(ours), std::move(complaints));
}

Result<void> Connection::Send(std::string_view packet) const {
  if (::send(socket_.get(), packet.data(), packet.size(), MSG_NOSIGNAL | MSG_DONTWAIT) < 0) {
    return Error::Errno("send {} bytes to CRIU", packet.size());
  }
  return {};
}

Result<Incoming> Connection::Next(Deadline deadline, const CancelToken* cancel) const {
  for (;;) {
    if (auto taken = TRY(TakePacket(socket_.ref()))) return *std::move(taken);
    if (cancel != nullptr && cancel->cancelled()) return Incoming{.arrival = Arrival::kCancelled};
    if (SteadyClock::now() >= deadline) return Incoming{.arrival = Arrival::kTimeout};
    // The process as well as the socket: what it forked may keep the socket open after its death.
    pollfd watched[] = {
        {.fd = socket_.get(), .events = POLLIN, .revents = 0},
        {.fd = child_.process().fd().get(), .events = POLLIN, .revents = 0},
        {.fd = cancel != nullptr ? cancel->fd().get() : -1, .events = POLLIN, .revents = 0}};
    if (::poll(watched, 3, PollTimeout(deadline)) < 0 && errno != EINTR) {
      return Error::Errno("wait for CRIU");
    }
    if (watched[1].revents != 0) {
      // It may have sent something before it died.
      if (auto last = TRY(TakePacket(socket_.ref()))) return *std::move(last);
      return Incoming{.arrival = Arrival::kClosed};
    }
  }
}

void Connection::Kill() {
  // Not when it has ended by itself: its own status is the better reason.
  if (child_.process().HasExited()) return;
  killed_ = true;
  child_.Kill();
}

Ending Connection::Finish(Deadline patience) {
  socket_.reset();
  auto status = child_.Wait(patience);
  if (!status.ok()) {
    Kill();
    status = child_.Wait(kNoDeadline);
  }
  Ending ending{.status = status.ok() ? *status : ExitStatus{}};
  // It may have ended by itself just before it was to be killed.
  ending.killed =
      killed_ && ending.status.signal.value_or(SIGKILL) == SIGKILL && !ending.status.code;
  return ending;
}

std::string Connection::Complaints() const {
  std::string words(kComplaintsLimit, '\0');
  const ssize_t got =
      complaints_.valid() ? ::pread(complaints_.get(), words.data(), words.size(), 0) : 0;
  words.resize(got > 0 ? static_cast<std::size_t>(got) : 0);
  while (!words.empty() && words.back() == '\n') words.pop_back();
  return words;
}

}  // namespace crd::criu
