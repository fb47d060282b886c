#include "daemon/rpc/listener.h"

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <utility>
#include <vector>

#include <fcntl.h>
#include <fmt/format.h>
#include <grp.h>
#include <poll.h>
#include <spdlog/spdlog.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "daemon/base/cleanup.h"
#include "daemon/base/files.h"

namespace crd::rpc {
namespace {

constexpr int kBacklog = 128;
// Accepted in one go, so that a flood of clients does not keep the loop from everything else.
constexpr int kBatch = 64;
constexpr int kPauseMillis = 10;
constexpr std::size_t kRememberedRefusals = 1024;

UniqueFd OpenReserve() { return UniqueFd(::open("/dev/null", O_RDONLY | O_CLOEXEC)); }

sockaddr_un UnixAddress(const std::string& path) {
  sockaddr_un address{.sun_family = AF_UNIX, .sun_path = {}};
  std::memcpy(address.sun_path, path.c_str(), std::min(path.size(), sizeof address.sun_path - 1));
  return address;
}

Result<void> MakeSocketDirectory(const std::string& directory, std::optional<gid_t> group) {
  struct stat status {};
  if (::stat(directory.c_str(), &status) == 0) return {};
  TRY(MakeDirectories(directory));
  if (!group) return {};
  // Members must get through to the socket, and see nothing else.
  if (::chown(directory.c_str(), static_cast<uid_t>(-1), *group) != 0 ||
      ::chmod(directory.c_str(), 0710) != 0) {
    return Error::Errno("give directory '{}' to group {}", directory, *group);
  }
  return {};
}

// Removes a socket that nobody listens on any more.
Result<void> ClearWay(const std::string& path) {
  struct stat status {};
  if (::lstat(path.c_str(), &status) != 0) {
    if (errno == ENOENT) return {};
    return Error::Errno("stat socket '{}'", path);
  }
  if (!S_ISSOCK(status.st_mode)) {
    return Error{
        .code = Code::kFailedPrecondition,
        .message = fmt::format("listen on '{}': there is something that is no socket", path),
        .hint = "move it away, or choose another path with --socket"};
  }
  const UniqueFd probe(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!probe.valid()) return Error::Errno("make a socket");
  const sockaddr_un address = UnixAddress(path);
  // EAGAIN: somebody listens and has more waiting than it can take.
  if (::connect(probe.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0 ||
      errno == EAGAIN) {
    return Error{.code = Code::kAlreadyExists,
                 .message = fmt::format("another crd answers on '{}'", path),
                 .hint = "stop it, or choose another path with --socket"};
  }
  if (errno != ECONNREFUSED) return Error::Errno("see whether somebody answers on '{}'", path);
  if (::unlink(path.c_str()) != 0) return Error::Errno("remove the dead socket '{}'", path);
  return {};
}

Result<UniqueFd> MakeListeningSocket(const std::string& path, std::optional<gid_t> group) {
  UniqueFd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!socket.valid()) return Error::Errno("make a socket");
  const sockaddr_un address = UnixAddress(path);
  if (::bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    return Error::Errno("make socket '{}'", path);
  }
  Cleanup remove([&] { ::unlink(path.c_str()); });
  // Nobody can connect before listen(), so the mode that bind() gave it does not matter.
  if (::chown(path.c_str(), static_cast<uid_t>(-1), group.value_or(static_cast<gid_t>(-1))) != 0 ||
      ::chmod(path.c_str(), 0660) != 0) {
    return Error::Errno("set owner and mode of socket '{}'", path);
  }
  if (::listen(socket.get(), kBacklog) != 0) return Error::Errno("listen on '{}'", path);
  remove.Cancel();
  return socket;
}

}  // namespace

Result<std::string> SocketPath(std::string_view address) {
  std::string_view path = address;
  const std::size_t colon = address.find(':');
  if (colon != std::string_view::npos && address.find('/') > colon) {
    if (address.substr(0, colon) != "unix") {
      return Error{.code = Code::kInvalidArgument,
                   .message = fmt::format("'{}' is no Unix socket", address),
                   .hint = "use a path, or unix:///run/crd/crd.sock"};
    }
    path = address.substr(colon + 1);
    if (path.starts_with("//")) path.remove_prefix(2);
  }
  if (path.empty() || path.ends_with('/')) {
    return Error{.code = Code::kInvalidArgument,
                 .message = fmt::format("socket address '{}' names no file", address),
                 .hint = "use a path, or unix:///run/crd/crd.sock"};
  }
  constexpr std::size_t kLongest = sizeof(sockaddr_un::sun_path) - 1;
  if (path.size() > kLongest) {
    return Error{
        .code = Code::kInvalidArgument,
        .message = fmt::format("socket path '{}' is too long: {} bytes, and Linux takes {}", path,
                               path.size(), kLongest),
        .hint = "choose a shorter path with --socket"};
  }
  return std::string(path);
}

Result<std::optional<gid_t>> FindGroup(const std::string& name) {
  std::vector<char> buffer(4096);
  for (;;) {
    group entry{};
    group* found = nullptr;
    const int failed = ::getgrnam_r(name.c_str(), &entry, buffer.data(), buffer.size(), &found);
    if (failed == ERANGE && buffer.size() < (1U << 20U)) {
      buffer.resize(buffer.size() * 2);
      continue;
    }
    if (found != nullptr) return std::optional<gid_t>(entry.gr_gid);
    // getgrnam(3) lists what "not found" may look like.
    if (failed == 0 || failed == ENOENT || failed == ESRCH) return std::optional<gid_t>();
    return Error::FromErrno(failed, fmt::format("look up group '{}'", name));
  }
}

Listener::Listener(UniqueFd socket, std::string address, std::optional<gid_t> group)
    : socket_(std::move(socket)),
      reserve_(OpenReserve()),
      address_(std::move(address)),
      group_(group) {}

Listener::Listener(Listener&& other) noexcept
    : socket_(std::move(other.socket_)),
      reserve_(std::move(other.reserve_)),
      address_(std::move(other.address_)),
      group_(other.group_),
      file_(std::exchange(other.file_, std::nullopt)),
      refused_(std::move(other.refused_)),
      exhausted_(other.exhausted_) {}

Listener::~Listener() {
  if (!file_) return;
  struct stat status {};
  if (::lstat(file_->path.c_str(), &status) != 0) return;
  if (status.st_dev == file_->device && status.st_ino == file_->inode) {
    ::unlink(file_->path.c_str());
  }
}

Result<Listener> Listener::Bind(const std::string& path, std::optional<gid_t> group) {
  const std::size_t slash = path.rfind('/');
  const std::string directory = slash == std::string::npos ? "."
                                : slash == 0               ? "/"
                                                           : path.substr(0, slash);
  TRY(MakeSocketDirectory(directory, group));
  // Two crds that start at once must not both find the old socket dead and remove each other's.
  const UniqueFd lock = TRY(OpenDirectory(directory));
  if (::flock(lock.get(), LOCK_EX) != 0) return Error::Errno("lock directory '{}'", directory);
  TRY(ClearWay(path));
  UniqueFd socket = TRY(MakeListeningSocket(path, group));
  struct stat status {};
  if (::lstat(path.c_str(), &status) != 0) return Error::Errno("stat socket '{}'", path);
  Listener listener(std::move(socket), path, group);
  listener.file_ = File{.path = path, .device = status.st_dev, .inode = status.st_ino};
  return listener;
}

Result<Listener> Listener::Adopt(UniqueFd socket, std::optional<gid_t> group) {
  sockaddr_un address{};
  socklen_t size = sizeof address;
  if (::getsockname(socket.get(), reinterpret_cast<sockaddr*>(&address), &size) != 0) {
    return Error::Errno("read the address of inherited socket {}", socket.get());
  }
  int listening = 0;
  socklen_t option_size = sizeof listening;
  if (address.sun_family != AF_UNIX ||
      ::getsockopt(socket.get(), SOL_SOCKET, SO_ACCEPTCONN, &listening, &option_size) != 0 ||
      listening == 0) {
    return Error{.code = Code::kInvalidArgument,
                 .message = fmt::format("descriptor {} is no listening Unix socket", socket.get()),
                 .hint = "crd.socket may have ListenStream= with a path only"};
  }
  const int flags = ::fcntl(socket.get(), F_GETFL);
  if (flags < 0 || ::fcntl(socket.get(), F_SETFL, flags | O_NONBLOCK) != 0) {
    return Error::Errno("make inherited socket {} non-blocking", socket.get());
  }
  const std::size_t length = size - offsetof(sockaddr_un, sun_path);
  return Listener(std::move(socket),
                  std::string(address.sun_path, ::strnlen(address.sun_path, length)), group);
}

void Listener::Accept(const OnConnection& on_connection) {
  for (int i = 0; i < kBatch; ++i) {
    UniqueFd connection(::accept4(socket_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
    if (!connection.valid()) {
      if (errno == ECONNABORTED || errno == EINTR) continue;
      if ((errno == EMFILE || errno == ENFILE) && TurnAwayOne()) continue;
      return;
    }
    exhausted_ = false;
    auto peer = ReadPeer(connection.ref());
    if (!peer.ok()) {
      spdlog::warn("connection closed: {}", peer.error().message);
    } else if (MayConnect(*peer)) {
      on_connection(std::move(connection), *std::move(peer));
    } else {
      LogRefusal(*peer);
    }
  }
}

bool Listener::TurnAwayOne() {
  if (!std::exchange(exhausted_, true)) {
    spdlog::warn("{}: no descriptors left, clients are turned away", address_);
  }
  reserve_.reset();
  UniqueFd client(::accept4(socket_.get(), nullptr, nullptr, SOCK_CLOEXEC));
  const bool accepted = client.valid();
  // Another thread took the descriptor that was freed: the listener stays readable, and without a
  // pause the loop would spin.
  if (!accepted && errno != EAGAIN) ::poll(nullptr, 0, kPauseMillis);
  client.reset();
  reserve_ = OpenReserve();
  return accepted;
}

bool Listener::MayConnect(const Peer& peer) const {
  if (peer.uid == 0) return true;
  if (!group_) return false;
  if (peer.gid == *group_) return true;
  return std::find(peer.groups.begin(), peer.groups.end(), *group_) != peer.groups.end();
}

void Listener::LogRefusal(const Peer& peer) {
  if (refused_.size() >= kRememberedRefusals) refused_.clear();
  if (!refused_.insert(peer.uid).second) return;
  spdlog::info("{}: closed a connection of uid {} (process {}), who is neither root nor a member",
               address_, peer.uid, peer.pid);
}

}  // namespace crd::rpc
