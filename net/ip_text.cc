#include "net/ip_text.h"

#include <charconv>

#include <arpa/inet.h>
#include <fmt/ranges.h>
#include <netinet/in.h>

namespace crd::net {
namespace {

constexpr std::size_t kMacSize = 6;

Error NoSuchText(std::string_view what, std::string_view text) {
  return Error{.code = Code::kInvalidArgument, .message = fmt::format("'{}' is no {}", text, what)};
}

}  // namespace

int FamilyOf(std::string_view address) {
  return address.find(':') == std::string_view::npos ? AF_INET : AF_INET6;
}

int AddressBits(int family) { return family == AF_INET6 ? 128 : 32; }

std::string AddressText(const Bytes& bytes) {
  char text[INET6_ADDRSTRLEN] = "";
  if (bytes.size() == sizeof(in_addr)) ::inet_ntop(AF_INET, bytes.data(), text, sizeof text);
  if (bytes.size() == sizeof(in6_addr)) ::inet_ntop(AF_INET6, bytes.data(), text, sizeof text);
  return text;
}

std::string PrefixText(int family, const Bytes& bytes, int length) {
  const auto size = static_cast<std::size_t>(AddressBits(family) / 8);
  return fmt::format("{}/{}", AddressText(bytes.empty() ? Bytes(size) : bytes), length);
}

std::string MacText(const Bytes& bytes) {
  if (bytes.size() != kMacSize) return "";
  return fmt::format("{:02x}", fmt::join(bytes, ":"));
}

Result<Bytes> ParseAddress(const std::string& text) {
  const int family = FamilyOf(text);
  Bytes bytes(static_cast<std::size_t>(AddressBits(family) / 8));
  if (::inet_pton(family, text.c_str(), bytes.data()) != 1) return NoSuchText("IP address", text);
  return bytes;
}

Result<Prefix> ParsePrefix(const std::string& text) {
  const std::size_t slash = text.find('/');
  if (slash == std::string::npos) return NoSuchText("prefix", text);
  Prefix prefix{.address = TRY(ParseAddress(text.substr(0, slash)))};
  const char* begin = text.data() + slash + 1;
  const char* end = text.data() + text.size();
  const auto [rest, failed] = std::from_chars(begin, end, prefix.length);
  const int bits = static_cast<int>(prefix.address.size()) * 8;
  if (failed != std::errc() || rest != end || prefix.length < 0 || prefix.length > bits) {
    return NoSuchText("prefix", text);
  }
  return prefix;
}

Result<Bytes> ParseMac(const std::string& text) {
  Bytes bytes(kMacSize);
  constexpr std::size_t kStep = 3;
  if (text.size() != kMacSize * kStep - 1) return NoSuchText("MAC address", text);
  for (std::size_t i = 0; i < kMacSize; ++i) {
    const char* begin = text.data() + i * kStep;
    const auto [rest, failed] = std::from_chars(begin, begin + 2, bytes[i], 16);
    const bool separated = i + 1 == kMacSize || begin[2] == ':';
    if (failed != std::errc() || rest != begin + 2 || !separated) {
      return NoSuchText("MAC address", text);
    }
  }
  return bytes;
}

bool Contains(const Prefix& prefix, const Bytes& address) {
  if (prefix.address.size() != address.size()) return false;
  for (int bit = 0; bit < prefix.length; ++bit) {
    const auto byte = static_cast<std::size_t>(bit / 8);
    const int mask = 0x80 >> (bit % 8);
    if (((prefix.address[byte] ^ address[byte]) & mask) != 0) return false;
  }
  return true;
}

}  // namespace crd::net
