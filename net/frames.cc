#include "net/frames.h"

#include <algorithm>
#include <cstdint>

namespace crd::net {
namespace {

constexpr std::size_t kMacSize = 6;
constexpr std::size_t kHeader = 14;  // of Ethernet
constexpr std::size_t kIp4 = 4;
constexpr std::size_t kIp6 = 16;

// ARP behind the Ethernet header: operation, sender's MAC and address, target's MAC and address.
constexpr std::size_t kOperation = kHeader + 6;
constexpr std::size_t kSenderMac = kHeader + 8;
constexpr std::size_t kSender = kSenderMac + kMacSize;
constexpr std::size_t kTarget = kSender + kIp4 + kMacSize;
constexpr std::size_t kArpSize = kTarget + kIp4;

// IPv6 with ICMPv6 right behind it.
constexpr std::size_t kSource6 = kHeader + 8;
constexpr std::size_t kIcmp = kHeader + 40;
constexpr std::size_t kTarget6 = kIcmp + 8;
constexpr std::size_t kOption = kTarget6 + kIp6;
constexpr unsigned char kIcmp6 = 58;
constexpr unsigned char kSolicitation = 135;
constexpr unsigned char kAdvertisement = 136;
constexpr unsigned char kOverride = 0x20;
constexpr unsigned char kTargetMacOption = 2;

void Append(Bytes& to, const Bytes& bytes) { to.insert(to.end(), bytes.begin(), bytes.end()); }

Bytes Part(const Bytes& frame, std::size_t begin, std::size_t size) {
  const auto from = frame.begin() + static_cast<std::ptrdiff_t>(begin);
  return {from, from + static_cast<std::ptrdiff_t>(size)};
}

Bytes ArpFrame(const Bytes& mac, const Bytes& sender, const Bytes& target) {
  Bytes frame(kMacSize, 0xff);
  Append(frame, mac);
  Append(frame, {0x08, 0x06, 0, 1, 0x08, 0, 6, 4, 0, 1});  // Ethernet, IPv4, a request
  Append(frame, mac);
  Append(frame, sender);
  Append(frame, Bytes(kMacSize));
  Append(frame, target);
  return frame;
}

// The Internet checksum over the pseudo-header and the message.
std::uint16_t Checksum(const Bytes& source, const Bytes& destination, const Bytes& message) {
  Bytes all = source;
  Append(all, destination);
  Append(all, {0, 0, 0, static_cast<unsigned char>(message.size()), 0, 0, 0, kIcmp6});
  Append(all, message);
  std::uint32_t sum = 0;
  for (std::size_t i = 0; i < all.size(); i += 2) {
    sum += static_cast<std::uint32_t>(all[i] << 8) + (i + 1 < all.size() ? all[i + 1] : 0U);
  }
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >> 16);
  return static_cast<std::uint16_t>(~sum);
}

Bytes Icmp6Frame(const Bytes& mac, const Bytes& source, const Bytes& destination, Bytes message) {
  const std::uint16_t checksum = Checksum(source, destination, message);
  message[2] = static_cast<unsigned char>(checksum >> 8);
  message[3] = static_cast<unsigned char>(checksum & 0xff);
  Bytes frame = {0x33, 0x33};  // the multicast MAC of an IPv6 group
  Append(frame, {destination.end() - 4, destination.end()});
  Append(frame, mac);
  Append(frame,
         {0x86, 0xdd, 0x60, 0, 0, 0, 0, static_cast<unsigned char>(message.size()), kIcmp6, 255});
  Append(frame, source);
  Append(frame, destination);
  Append(frame, message);
  return frame;
}

}  // namespace

Bytes ProbeFrame(const Bytes& mac, const Bytes& address) {
  if (address.size() == kIp4) return ArpFrame(mac, Bytes(kIp4), address);
  Bytes group = {0xff, 0x02, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0xff};  // solicited-node
  Append(group, {address.end() - 3, address.end()});
  Bytes message = {kSolicitation, 0, 0, 0, 0, 0, 0, 0};
  Append(message, address);
  return Icmp6Frame(mac, Bytes(kIp6), group, std::move(message));
}

Bytes AnnouncementFrame(const Bytes& mac, const Bytes& address) {
  if (address.size() == kIp4) return ArpFrame(mac, address, address);
  Bytes everybody = {0xff, 0x02, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1};
  Bytes message = {kAdvertisement, 0, 0, 0, kOverride, 0, 0, 0};
  Append(message, address);
  Append(message, {kTargetMacOption, 1});
  Append(message, mac);
  return Icmp6Frame(mac, address, everybody, std::move(message));
}

std::optional<Bytes> OwnerInFrame(const Bytes& frame, const Bytes& address) {
  const auto is = [&](std::size_t at, const Bytes& bytes) {
    return frame.size() >= at + bytes.size() &&
           std::equal(bytes.begin(), bytes.end(), frame.begin() + static_cast<std::ptrdiff_t>(at));
  };
  if (address.size() == kIp4) {
    if (frame.size() < kArpSize || !is(kMacSize * 2, {0x08, 0x06})) return std::nullopt;
    const bool owns = is(kSender, address);
    const bool wants =
        is(kSender, Bytes(kIp4)) && is(kTarget, address) && frame[kOperation + 1] == 1;
    if (!owns && !wants) return std::nullopt;
    return Part(frame, kSenderMac, kMacSize);
  }
  if (!is(kMacSize * 2, {0x86, 0xdd}) || !is(kHeader + 6, {kIcmp6}) || !is(kTarget6, address)) {
    return std::nullopt;
  }
  const bool owns = frame[kIcmp] == kAdvertisement;
  const bool wants = frame[kIcmp] == kSolicitation && is(kSource6, Bytes(kIp6));
  if (!owns && !wants) return std::nullopt;
  const bool named =
      owns && frame.size() >= kOption + 2 + kMacSize && frame[kOption] == kTargetMacOption;
  return Part(frame, named ? kOption + 2 : kMacSize, kMacSize);
}

}  // namespace crd::net
