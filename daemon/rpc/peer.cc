#include "daemon/rpc/peer.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <utility>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/syscall.h>

namespace crd::rpc {
namespace {

// Above what the rest of the process uses, since everything else takes the lowest free number; and
// not higher than needed, since the kernel's table of descriptors grows with the highest (64 KiB).
constexpr int kFirstNumber = 4096;
constexpr int kEndNumber = 8192;

constexpr int kSoPeerPidfd = 77;  // SO_PEERPIDFD of Linux 6.5; Debian 12's headers are older

std::shared_ptr<const UniqueFd> OpenPeerProcess(FdRef socket, pid_t pid) {
  int fd = -1;
  socklen_t size = sizeof fd;
  if (::getsockopt(socket.get(), SOL_SOCKET, kSoPeerPidfd, &fd, &size) != 0) {
    // Older kernels know the pid only, which may be another process's by now.
    fd = errno == ENOPROTOOPT ? static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)) : -1;
  }
  return fd < 0 ? nullptr : std::make_shared<const UniqueFd>(fd);
}

// Linux 4.13.
std::vector<gid_t> ReadGroups(FdRef socket) {
  std::vector<gid_t> groups(32);
  for (;;) {
    auto size = static_cast<socklen_t>(groups.size() * sizeof(gid_t));
    const int got = ::getsockopt(socket.get(), SOL_SOCKET, SO_PEERGROUPS, groups.data(), &size);
    if (got != 0 && errno != ERANGE) return {};
    groups.resize(size / sizeof(gid_t));  // on ERANGE the size that is needed
    if (got == 0) return groups;
  }
}

}  // namespace

Result<Peer> ReadPeer(FdRef socket) {
  ucred credentials{};
  socklen_t size = sizeof credentials;
  if (::getsockopt(socket.get(), SOL_SOCKET, SO_PEERCRED, &credentials, &size) != 0) {
    return Error::Errno("read the credentials of a connection");
  }
  return Peer{.uid = credentials.uid,
              .gid = credentials.gid,
              .pid = credentials.pid,
              .groups = ReadGroups(socket),
              .process = OpenPeerProcess(socket, credentials.pid)};
}

PeerTable::PeerTable(UniqueFd epoll, int first, int end)
    : epoll_(std::move(epoll)), first_(first), end_(end), next_(first) {}

Result<std::unique_ptr<PeerTable>> PeerTable::Create() {
  UniqueFd epoll(::epoll_create1(EPOLL_CLOEXEC));
  if (!epoll.valid()) return Error::Errno("make the epoll descriptor of the connections");
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return Error::Errno("read the descriptor limit");
  const int end = static_cast<int>(std::min<rlim_t>(limit.rlim_cur, kEndNumber));
  return std::unique_ptr<PeerTable>(
      new PeerTable(std::move(epoll), std::min(kFirstNumber, end / 2), end));
}

Result<UniqueFd> PeerTable::Add(UniqueFd socket, Peer peer) {
  UniqueFd moved(::fcntl(socket.get(), F_DUPFD_CLOEXEC, next_));
  if (!moved.valid() || moved.get() >= end_) {
    moved.reset(::fcntl(socket.get(), F_DUPFD_CLOEXEC, first_));
  }
  if (!moved.valid()) return Error::Errno("move a connection to a number of its own");
  next_ = moved.get() + 1 < end_ ? moved.get() + 1 : first_;

  Drop(moved.get());  // gRPC has closed it, and its hang-up has not been seen yet
  epoll_event event{.events = 0, .data = {.fd = moved.get()}};  // EPOLLHUP needs no asking
  if (::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, socket.get(), &event) != 0) {
    return Error::Errno("watch a connection for its end");
  }
  const std::lock_guard lock(mutex_);
  connections_.emplace(
      moved.get(),
      Connection{.copy = std::move(socket), .peer = std::make_shared<const Peer>(std::move(peer))});
  return moved;
}

std::shared_ptr<const Peer> PeerTable::Lookup(std::string_view grpc_peer) const {
  constexpr std::string_view kPrefix = "fd:";
  if (!grpc_peer.starts_with(kPrefix)) return nullptr;
  int number = -1;
  const char* const end = grpc_peer.data() + grpc_peer.size();
  const auto [rest, error] = std::from_chars(grpc_peer.data() + kPrefix.size(), end, number);
  if (error != std::errc() || rest != end) return nullptr;
  const std::lock_guard lock(mutex_);
  const auto at = connections_.find(number);
  return at == connections_.end() ? nullptr : at->second.peer;
}

std::size_t PeerTable::size() const {
  const std::lock_guard lock(mutex_);
  return connections_.size();
}

std::size_t PeerTable::DropClosed() {
  std::size_t dropped = 0;
  std::array<epoll_event, 64> events{};
  for (;;) {
    const int count =
        ::epoll_wait(epoll_.get(), events.data(), static_cast<int>(events.size()), /*timeout=*/0);
    for (int i = 0; i < count; ++i) Drop(events[static_cast<std::size_t>(i)].data.fd);
    if (count <= 0) return dropped;
    dropped += static_cast<std::size_t>(count);
  }
}

void PeerTable::Drop(int number) {
  const std::lock_guard lock(mutex_);
  const auto at = connections_.find(number);
  if (at == connections_.end()) return;
  // Closing the copy would not do it while gRPC still has the socket open.
  ::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, at->second.copy.get(), nullptr);
  connections_.erase(at);
}

Result<rlimit> RaiseDescriptorLimit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return Error::Errno("read the descriptor limit");
  const rlimit before = limit;
  limit.rlim_cur = limit.rlim_max;
  if (::setrlimit(RLIMIT_NOFILE, &limit) != 0) {
    return Error::Errno("raise the descriptor limit to {}", limit.rlim_max);
  }
  return before;
}

}  // namespace crd::rpc
