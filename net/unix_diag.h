#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <sys/types.h>

#include "daemon/base/result.h"
#include "daemon/base/unique_fd.h"

struct nl_sock;

namespace crd::net {

// A unix socket as the kernel describes it (unix_diag(7), Linux 3.3).
struct UnixSocket {
  ino_t inode = 0;
  int type = 0;   // SOCK_STREAM, SOCK_DGRAM, SOCK_SEQPACKET
  int state = 0;  // TCP_ESTABLISHED, TCP_LISTEN, TCP_CLOSE of <netinet/tcp.h>
  // Not set: never connected. 0: the other end was closed, or the server has not accepted yet
  // (`shut_down` tells).
  std::optional<ino_t> peer;
  std::string name;            // path, or '@' and an abstract name; empty: none
  std::vector<ino_t> waiting;  // of a listener: clients not accepted yet; 0: that client has closed
  std::uint32_t unsent = 0;    // bytes that were written and not read yet
  bool shut_down = false;      // in both directions; a connection whose other end closed is

  [[nodiscard]] bool listening() const;
  [[nodiscard]] bool connected_stream() const;
};

// Asks the kernel about single unix sockets of one network namespace. Belongs to one thread at a
// time. The queries of one object cost a walk over the namespace's sockets each, and no copying.
class UnixDiag {
 public:
  // `netns` invalid: the calling thread's. kUnimplemented if the kernel lacks CONFIG_UNIX_DIAG.
  static Result<UnixDiag> Open(FdRef netns = FdRef(-1));

  // kNotFound if there is no such socket in this namespace.
  [[nodiscard]] Result<UnixSocket> Find(ino_t inode);

 private:
  struct Free {
    void operator()(nl_sock* socket) const;
  };
  explicit UnixDiag(std::unique_ptr<nl_sock, Free> socket) : socket_(std::move(socket)) {}
  std::unique_ptr<nl_sock, Free> socket_;
};

}  // namespace crd::net
