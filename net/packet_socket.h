#pragma once

#include <optional>
#include <string>

#include "daemon/base/clock.h"
#include "daemon/base/result.h"
#include "daemon/base/unique_fd.h"
#include "net/ip_text.h"

namespace crd::net {

// Whole frames on one interface, packet(7). Stays in the namespace that it was opened in. One
// thread at a time; needs CAP_NET_RAW. Only for net/.
class PacketSocket {
 public:
  // Receives ARP and ICMPv6 only.
  static Result<PacketSocket> Open(int interface);
  Result<void> Send(const Bytes& frame);
  // The next frame that came in; nothing if there was none until the deadline.
  std::optional<Bytes> Receive(Deadline deadline);

 private:
  explicit PacketSocket(UniqueFd socket) : socket_(std::move(socket)) {}
  UniqueFd socket_;
};

}  // namespace crd::net
