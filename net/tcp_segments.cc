#include "net/tcp_segments.h"

#include <algorithm>

#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <netinet/ip_icmp.h>

namespace crd::net {
namespace {

constexpr std::size_t kIp4 = 4;
constexpr std::size_t kTcpHeader = 20;
constexpr std::size_t kTimestampOption = 12;  // with two bytes of padding before it
constexpr unsigned char kHops = 64;
constexpr unsigned char kAck = 0x10;
constexpr unsigned char kPush = 0x08;

void Put16(Bytes& to, std::uint32_t value) {
  to.push_back(static_cast<unsigned char>(value >> 8U));
  to.push_back(static_cast<unsigned char>(value));
}
void Put32(Bytes& to, std::uint32_t value) {
  Put16(to, value >> 16U);
  Put16(to, value & 0xffffU);
}
void Append(Bytes& to, const Bytes& bytes) { to.insert(to.end(), bytes.begin(), bytes.end()); }

// The Internet checksum (RFC 1071).
std::uint16_t Checksum(const Bytes& bytes) {
  std::uint32_t sum = 0;
  for (std::size_t i = 0; i < bytes.size(); i += 2) {
    sum += static_cast<std::uint32_t>(bytes[i] << 8U) + (i + 1 < bytes.size() ? bytes[i + 1] : 0U);
    sum = (sum & 0xffffU) + (sum >> 16U);
  }
  return static_cast<std::uint16_t>(~sum);
}

void SetChecksum(Bytes& packet, std::size_t at, std::uint16_t checksum) {
  packet[at] = static_cast<unsigned char>(checksum >> 8U);
  packet[at + 1] = static_cast<unsigned char>(checksum);
}

// Over the pseudo-header, too.
std::uint16_t Checksum(const Bytes& source, const Bytes& destination, int protocol,
                       const Bytes& message) {
  Bytes all = source;
  Append(all, destination);
  Put32(all, static_cast<std::uint32_t>(message.size()));
  Put32(all, static_cast<std::uint32_t>(protocol));
  Append(all, message);
  return Checksum(all);
}

Bytes IpHeader(const Bytes& source, const Bytes& destination, int protocol, std::size_t size) {
  Bytes header;
  const auto number = static_cast<unsigned char>(protocol);
  if (source.size() == kIp4) {
    header = {0x45, 0};
    Put16(header, static_cast<std::uint32_t>(20 + size));
    Put32(header, 0x4000);  // not to be fragmented
    Append(header, {kHops, number, 0, 0});
    Append(header, source);
    Append(header, destination);
    SetChecksum(header, 10, Checksum(header));
    return header;
  }
  header = {0x60, 0, 0, 0};
  Put16(header, static_cast<std::uint32_t>(size));
  Append(header, {number, kHops});
  Append(header, source);
  Append(header, destination);
  return header;
}

}  // namespace

Bytes SegmentPacket(const SegmentHeader& header, std::string_view data) {
  const std::size_t options = header.timestamp.has_value() ? kTimestampOption : 0;
  Bytes segment;
  Put16(segment, header.source_port);
  Put16(segment, header.destination_port);
  Put32(segment, header.sequence);
  Put32(segment, header.acknowledged);
  segment.push_back(static_cast<unsigned char>((kTcpHeader + options) / 4 << 4U));
  segment.push_back(data.empty() ? kAck : kAck | kPush);
  Put16(segment, header.window);
  Put32(segment, 0);  // checksum and urgent pointer
  if (header.timestamp.has_value()) {
    Append(segment, {1, 1, 8, 10});
    Put32(segment, *header.timestamp);
    Put32(segment, 0);  // no echo: it would be taken for a measurement of the round trip
  }
  segment.insert(segment.end(), data.begin(), data.end());
  SetChecksum(segment, 16, Checksum(header.source, header.destination, IPPROTO_TCP, segment));
  Bytes packet = IpHeader(header.source, header.destination, IPPROTO_TCP, segment.size());
  Append(packet, segment);
  return packet;
}

Bytes UnreachablePacket(const SegmentHeader& header) {
  const bool v4 = header.source.size() == kIp4;
  Bytes message;
  if (v4) {
    message = {ICMP_DEST_UNREACH, ICMP_HOST_UNREACH};
  } else {
    message = {ICMP6_DST_UNREACH, ICMP6_DST_UNREACH_NOROUTE};
  }
  Append(message, Bytes(6));
  // The beginning of the packet that it is about.
  Append(message, IpHeader(header.destination, header.source, IPPROTO_TCP, kTcpHeader));
  Put16(message, header.destination_port);
  Put16(message, header.source_port);
  Put32(message, header.acknowledged);
  Append(message, Bytes(kTcpHeader - 8));
  const int protocol = v4 ? int{IPPROTO_ICMP} : int{IPPROTO_ICMPV6};
  SetChecksum(
      message, 2,
      v4 ? Checksum(message) : Checksum(header.source, header.destination, protocol, message));
  Bytes packet = IpHeader(header.source, header.destination, protocol, message.size());
  Append(packet, message);
  return packet;
}

}  // namespace crd::net
