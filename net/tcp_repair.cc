#include "net/tcp_repair.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include "daemon/base/pid_fd.h"
#include "daemon/base/proc.h"

namespace crd::net {
namespace {

// TCP_REPAIR_OFF_NO_WP of <linux/tcp.h>, Linux 4.19: leaves repair mode without the window probe
// that TCP_REPAIR_OFF sends. Nothing was restored into these sockets, so there is nothing to probe.
constexpr int kRepairOff = -1;

int Option(FdRef socket, int level, int name) {
  int value = -1;
  socklen_t size = sizeof value;
  return ::getsockopt(socket.get(), level, name, &value, &size) == 0 ? value : -1;
}

bool InRepairMode(FdRef socket) {
  if (Option(socket, SOL_SOCKET, SO_PROTOCOL) != IPPROTO_TCP) return false;
  if (Option(socket, SOL_SOCKET, SO_TYPE) != SOCK_STREAM) return false;
  return Option(socket, IPPROTO_TCP, TCP_REPAIR) == 1;
}

}  // namespace

Result<int> CureRepairMode(pid_t pid) {
  const PidFd process = TRY(PidFd::Open(pid));
  const proc::ProcDir directory = TRY(proc::ProcDir::Open(pid));
  int cured = 0;
  for (const int fd : TRY(directory.ListNumbers("fd"))) {
    const Result<std::string> link = directory.ReadLink(fmt::format("fd/{}", fd));
    if (!link.ok() || link.value().rfind("socket:", 0) != 0) continue;
    const Result<UniqueFd> socket = proc::CopyDescriptor(process.fd(), fd);
    if (!socket.ok() || !InRepairMode(socket.value().ref())) continue;
    if (::setsockopt(socket.value().get(), IPPROTO_TCP, TCP_REPAIR, &kRepairOff,
                     sizeof kRepairOff) != 0) {
      return Error::Errno("take descriptor {} of process {} out of TCP repair mode", fd, pid);
    }
    ++cured;
  }
  return cured;
}

}  // namespace crd::net
