#pragma once

#include <optional>

#include "net/ip_text.h"

namespace crd::net {

// Ethernet frames about who has which address: ARP (RFC 826, 5227) for IPv4, neighbour discovery
// (RFC 4861) for IPv6. Pure. MACs are 6 bytes, addresses 4 or 16. Only for net/.

// "Does anybody have this address?", from one who has none yet.
Bytes ProbeFrame(const Bytes& mac, const Bytes& address);
// "I have this address", to everybody.
Bytes AnnouncementFrame(const Bytes& mac, const Bytes& address);
// Whose MAC has the address, if the frame says so of this one: an answer, an announcement, or a
// probe of another who wants it.
std::optional<Bytes> OwnerInFrame(const Bytes& frame, const Bytes& address);

}  // namespace crd::net
