#include "client/connection.h"

#include <cerrno>
#include <cstring>

#include <fcntl.h>
#include <grpcpp/create_channel_posix.h>
#include <grpcpp/support/channel_arguments.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>

#include "client/errors.h"
#include "daemon/base/unique_fd.h"

namespace crd::client {
namespace {

Error NoAddress(std::string_view address, std::string_view why) {
  return {.code = Code::kInvalidArgument,
          .message = fmt::format("'{}' is no address of crd: {}", address, why),
          .hint = fmt::format("say {} or the path of a socket", kDefaultAddress)};
}

Error NoDaemon(const std::string& path, int sys_errno) {
  Error error = Error::FromErrno(sys_errno, fmt::format("cannot connect to crd at '{}'", path));
  error.reason = kNoDaemonReason;
  error.code = Code::kUnavailable;
  switch (sys_errno) {
    case ENOENT:
    case ENOTDIR:
      error.message = fmt::format("crd does not run: there is no socket '{}'", path);
      error.hint =
          "start it (`systemctl start crd.socket`), or name its socket with --socket or "
          "CRD_SOCKET";
      break;
    case ECONNREFUSED:
      error.message = fmt::format("crd does not run: nobody listens on '{}'", path);
      error.hint = "start it again; `systemctl status crd.socket crd` tells why it ended";
      break;
    case EACCES:
    case EPERM:
      error.code = Code::kPermissionDenied;
      error.message = fmt::format("you may not use crd's socket '{}'", path);
      error.hint =
          "become root, or have an administrator add you to the group of the socket "
          "(`adduser YOU crd`) and log in anew";
      break;
    case EAGAIN:
      error.message = fmt::format("crd accepts no connections at '{}'", path);
      error.hint = "it is stuck or still starting; `systemctl status crd` tells";
      break;
    default:
      error.hint = "name crd's socket with --socket or CRD_SOCKET";
  }
  return error;
}

// connect(2) on a Unix socket whose queue is full waits, and SO_SNDTIMEO limits that (unix(7)).
void LimitConnect(FdRef fd, std::chrono::microseconds patience) {
  const timeval limit{.tv_sec = patience.count() / 1'000'000,
                      .tv_usec = patience.count() % 1'000'000};
  // Fails for values out of range only; the connection is then waited for without a limit.
  ::setsockopt(fd.get(), SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
}

}  // namespace

Result<std::string> SocketPath(std::string_view address) {
  std::string_view path = address;
  constexpr std::string_view kScheme = "unix:";
  if (path.substr(0, kScheme.size()) == kScheme) {
    path.remove_prefix(kScheme.size());
    // "unix://" wants an absolute path: what came before its slash would be a host.
    if (path.substr(0, 2) == "//") {
      path.remove_prefix(2);
      if (path.empty() || path.front() != '/') return NoAddress(address, "it names a host");
    }
  } else if (path.find("://") != std::string_view::npos) {
    return NoAddress(address, "crd listens on Unix sockets only");
  }
  if (path.empty()) return NoAddress(address, "it names no path");
  if (path.size() >= sizeof sockaddr_un{}.sun_path) return NoAddress(address, "it is too long");
  return std::string(path);
}

Result<std::shared_ptr<grpc::Channel>> Connect(const std::string& path,
                                               std::chrono::microseconds patience) {
  UniqueFd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!socket.valid()) return Error::Errno("make a socket");
  LimitConnect(socket.ref(), patience);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path.copy(static_cast<char*>(address.sun_path), sizeof address.sun_path - 1);
  const auto* generic = reinterpret_cast<const sockaddr*>(&address);
  while (::connect(socket.get(), generic, sizeof address) != 0) {
    if (errno != EINTR) return NoDaemon(path, errno);
  }
  ::fcntl(socket.get(), F_SETFL, O_NONBLOCK);
  grpc::ChannelArguments arguments;
  // Answers are as long as what there is to list.
  arguments.SetMaxReceiveMessageSize(-1);
  arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
  arguments.SetString(GRPC_ARG_DEFAULT_AUTHORITY, "localhost");
  return grpc::CreateCustomInsecureChannelFromFd(path, socket.release(), arguments);
}

}  // namespace crd::client
