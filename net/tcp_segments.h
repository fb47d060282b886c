#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "net/ip_text.h"

namespace crd::net {

// IP packets as the end of a TCP connection would send them. Pure. Only for net/.

// What a packet of a connection says besides its content.
struct SegmentHeader {
  Bytes source;  // 4 or 16 bytes, as `destination`
  Bytes destination;
  std::uint16_t source_port = 0;
  std::uint16_t destination_port = 0;
  std::uint32_t sequence = 0;
  std::uint32_t acknowledged = 0;
  std::uint16_t window = 0;                // as it is on the wire: scaled
  std::optional<std::uint32_t> timestamp;  // of connections that have timestamps (RFC 7323)
};

// An acknowledgement, with data or without.
Bytes SegmentPacket(const SegmentHeader& header, std::string_view data);

// "Destination unreachable", about a packet of the other end that began with `header.acknowledged`.
Bytes UnreachablePacket(const SegmentHeader& header);

}  // namespace crd::net
