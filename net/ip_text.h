#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "daemon/base/result.h"

namespace crd::net {

// Addresses between the bytes that netlink has and the text that people read. Any thread.

using Bytes = std::vector<unsigned char>;

// AF_INET6 if there is a colon in it.
int FamilyOf(std::string_view address);
int AddressBits(int family);

// 4 or 16 bytes; empty text of anything else.
std::string AddressText(const Bytes& bytes);
std::string PrefixText(int family, const Bytes& bytes, int length);
std::string MacText(const Bytes& bytes);

// kInvalidArgument for what is no address.
Result<Bytes> ParseAddress(const std::string& text);
struct Prefix {
  Bytes address;
  int length = 0;
};
Result<Prefix> ParsePrefix(const std::string& text);
Result<Bytes> ParseMac(const std::string& text);

// Whether both are of one family and the prefix holds the address.
bool Contains(const Prefix& prefix, const Bytes& address);

}  // namespace crd::net
