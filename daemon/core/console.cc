#include "daemon/core/console.h"

#include <cstring>
#include <string_view>
#include <utility>

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "daemon/core/caller_access.h"
#include "daemon/core/errors.h"
#include "daemon/core/stdio.h"

namespace crd {
namespace {

// What comes with the descriptor: the receivers of runc's and crun's consoles want some text.
constexpr std::string_view kName = "/dev/ptmx";
// How crd's own program is told to copy (daemon/console_log.h).
constexpr const char* kProgram = "/proc/self/exe";
constexpr const char* kCopyConsole = "--copy-console";

Result<UniqueFd> Connect(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) {
    return Error::FromErrno(ENAMETOOLONG, "connect to it");
  }
  std::memcpy(address.sun_path, path.data(), path.size());
  // A listener whose backlog is full is no reason to wait.
  UniqueFd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!socket.valid()) return Error::Errno("make a socket");
  if (::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    return Error::Errno("connect to it");
  }
  return socket;
}

Result<void> SendDescriptor(FdRef socket, FdRef descriptor) {
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
  std::string name(kName);
  iovec part{.iov_base = name.data(), .iov_len = name.size()};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  cmsghdr* header = CMSG_FIRSTHDR(&message);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  header->cmsg_len = CMSG_LEN(sizeof(int));
  const int number = descriptor.get();
  std::memcpy(CMSG_DATA(header), &number, sizeof number);
  if (::sendmsg(socket.get(), &message, MSG_NOSIGNAL) < 0) return Error::Errno("send the console");
  return {};
}

}  // namespace

Result<RestoreConsole> RestoreConsole::ToSocket(const std::string& socket,
                                                const Credentials& caller) {
  auto connected = OpenAs(caller, [&] { return Connect(socket); });
  if (!connected.ok()) return errors::ConsoleSocketUnusable(socket, connected.error());
  RestoreConsole console;
  console.socket_path_ = socket;
  console.target_ = std::move(*connected);
  return console;
}

Result<RestoreConsole> RestoreConsole::ToLog(std::string path, const Credentials& caller) {
  RestoreConsole console;
  console.target_ = TRY(OpenLog(path, caller));
  console.log_path_ = std::move(path);
  return console;
}

Result<void> RestoreConsole::Take(UniqueFd master) {
  master_ = std::move(master);
  return {};
}

Result<void> RestoreConsole::HandOver(Children& children) {
  if (!master_.valid()) return Error::Internal("CRIU restored no console");
  if (!socket_path_.empty()) {
    const auto sent = SendDescriptor(target_.ref(), master_.ref());
    if (!sent.ok()) return errors::ConsoleSocketUnusable(socket_path_, sent.error());
    return {};
  }
  TRY(children.Launch({.argv = {kProgram, kCopyConsole},
                       .descriptors = {{master_.ref(), 0}, {target_.ref(), 1}, {target_.ref(), 2}},
                       .new_session = true}))
      .LetGo();
  return {};
}

}  // namespace crd
