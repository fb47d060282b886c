#include "daemon/core/subnets.h"

#include <algorithm>

#include <sys/socket.h>

#include "daemon/core/network_errors.h"
#include "net/ip_text.h"

namespace crd {
namespace {

using net::Bytes;
using net::Prefix;

// IPv4 subnets that are smaller have no address that stands for all of them (RFC 3021).
constexpr int kLongestWithBroadcast = 30;

// The prefix with nothing behind it, or with ones.
Bytes Edge(const Prefix& prefix, bool ones) {
  Bytes edge = prefix.address;
  for (int bit = prefix.length; bit < static_cast<int>(edge.size()) * 8; ++bit) {
    const auto mask = static_cast<unsigned char>(0x80 >> (bit % 8));
    auto& byte = edge[static_cast<std::size_t>(bit / 8)];
    byte = static_cast<unsigned char>(ones ? byte | mask : byte & ~mask);
  }
  return edge;
}

void Increment(Bytes& address) {
  for (auto byte = address.rbegin(); byte != address.rend(); ++byte) {
    if (++*byte != 0) return;
  }
}

std::string Text(const Bytes& address, int length) {
  return fmt::format("{}/{}", net::AddressText(address), length);
}

// Subnets in records are well-formed.
Prefix PrefixOf(const Subnet& subnet) {
  const auto prefix = net::ParsePrefix(subnet.prefix);
  return prefix.ok() ? *prefix : Prefix{};
}

bool IsIp4(const Prefix& prefix) { return prefix.address.size() == 4; }

Result<Subnet> ParseSubnet(const std::string& text) {
  const auto prefix = net::ParsePrefix(text);
  if (!prefix.ok()) return errors::SubnetInvalid(text, "it is no prefix");
  if (prefix->length == 0) return errors::SubnetInvalid(text, "everything is in it");
  const Bytes first = Edge(*prefix, false);
  if (first != prefix->address) {
    return errors::SubnetInvalid(
        text, fmt::format("it is an address in {}", Text(first, prefix->length)));
  }
  return Subnet{.prefix = Text(first, prefix->length), .gateway = ""};
}

}  // namespace

Result<std::string> CanonicalAddress(const std::string& address) {
  const auto bytes = net::ParseAddress(address);
  if (!bytes.ok()) return errors::AddressInvalid(address);
  return net::AddressText(*bytes);
}

Result<std::string> CanonicalMac(const std::string& mac) {
  const auto bytes = net::ParseMac(mac);
  // Group addresses have the lowest bit of the first byte set; no interface has none but zeros.
  if (!bytes.ok() || ((*bytes)[0] & 1U) != 0 ||
      std::all_of(bytes->begin(), bytes->end(), [](unsigned char byte) { return byte == 0; })) {
    return errors::MacInvalid(mac);
  }
  return net::MacText(*bytes);
}

Result<std::vector<Subnet>> ParseSubnets(std::string_view network,
                                         const std::vector<std::string>& prefixes,
                                         const std::vector<std::string>& gateways) {
  NetworkRecord record{.name = std::string(network)};
  for (const std::string& text : prefixes) {
    Subnet subnet = TRY(ParseSubnet(text));
    for (const Subnet& other : record.subnets) {
      if (Overlap(subnet, other)) return errors::SubnetsOverlap(text, other.prefix, network);
    }
    record.subnets.push_back(std::move(subnet));
  }
  for (const std::string& text : gateways) {
    const std::string gateway = TRY(CanonicalAddress(text));
    TRY(CheckForUse(record, gateway));
    const Subnet* subnet = FindSubnet(record.subnets, gateway);
    record.subnets[static_cast<std::size_t>(subnet - record.subnets.data())].gateway = gateway;
  }
  return std::move(record.subnets);
}

Result<std::vector<Subnet>> SubnetsOf(const std::vector<std::string>& interface_addresses) {
  std::vector<Subnet> subnets;
  for (const std::string& text : interface_addresses) {
    const Prefix prefix = TRY(net::ParsePrefix(text));
    Subnet subnet{.prefix = Text(Edge(prefix, false), prefix.length),
                  .gateway = net::AddressText(prefix.address)};
    const auto same = [&](const Subnet& other) { return other.prefix == subnet.prefix; };
    if (std::none_of(subnets.begin(), subnets.end(), same)) subnets.push_back(std::move(subnet));
  }
  return subnets;
}

bool Overlap(const Subnet& a, const Subnet& b) {
  const Prefix one = PrefixOf(a);
  const Prefix other = PrefixOf(b);
  return net::Contains(one, other.address) || net::Contains(other, one.address);
}

const Subnet* FindSubnet(const std::vector<Subnet>& subnets, const std::string& address) {
  const auto bytes = net::ParseAddress(address);
  if (!bytes.ok()) return nullptr;
  for (const Subnet& subnet : subnets) {
    if (net::Contains(PrefixOf(subnet), *bytes)) return &subnet;
  }
  return nullptr;
}

std::string WhyNotForUse(const Subnet& subnet, const std::string& address) {
  if (address == subnet.gateway) return "its gateway";
  const Prefix prefix = PrefixOf(subnet);
  const bool small = IsIp4(prefix) ? prefix.length > kLongestWithBroadcast
                                   : prefix.length > net::AddressBits(AF_INET6) - 2;
  if (small) return "";
  if (address == net::AddressText(Edge(prefix, false))) return "the subnet's own";
  if (IsIp4(prefix) && address == net::AddressText(Edge(prefix, true))) return "for broadcasts";
  return "";
}

Result<void> CheckForUse(const NetworkRecord& network, const std::string& address) {
  const Subnet* subnet = FindSubnet(network.subnets, address);
  if (subnet == nullptr) return errors::AddressOutsideSubnet(address, network);
  if (const std::string why = WhyNotForUse(*subnet, address); !why.empty())
    return errors::AddressNotForUse(address, network.name, why);
  return {};
}

std::string FirstFree(const Subnet& subnet, const std::set<std::string>& taken) {
  const Prefix prefix = PrefixOf(subnet);
  const Bytes last = Edge(prefix, true);
  for (Bytes address = Edge(prefix, false);; Increment(address)) {
    std::string text = net::AddressText(address);
    if (!taken.contains(text) && WhyNotForUse(subnet, text).empty()) return text;
    if (address == last) return "";
  }
}

std::string WithLength(const Subnet& subnet, const std::string& address) {
  return fmt::format("{}/{}", address, PrefixOf(subnet).length);
}

}  // namespace crd
