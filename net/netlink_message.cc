#include <algorithm>

#include <netlink/attr.h>
#include <netlink/msg.h>

#include "net/netlink.h"

namespace crd::net {
namespace {

// What a request may hold; the biggest are made of a dozen attributes.
constexpr std::size_t kRequestSize = 4096;

}  // namespace

Answer::Answer(const nlmsghdr* header) {
  const auto* begin = reinterpret_cast<const char*>(header);
  bytes_.assign(begin, begin + std::max<std::size_t>(header->nlmsg_len, NLMSG_HDRLEN));
}

Attributes::Attributes(const Answer& answer, std::size_t fixed_size) {
  const nlmsghdr* header = answer.header();
  const std::size_t skipped = NLMSG_HDRLEN + NLMSG_ALIGN(fixed_size);
  if (header->nlmsg_len <= skipped) return;
  Add(reinterpret_cast<const char*>(header) + skipped, header->nlmsg_len - skipped);
}

void Attributes::Add(const char* data, std::size_t size) {
  const auto* attribute = reinterpret_cast<const nlattr*>(data);
  int left = static_cast<int>(size);
  while (nla_ok(attribute, left) != 0) {
    all_.push_back(attribute);
    attribute = nla_next(attribute, &left);
  }
}

const nlattr* Attributes::Find(int type) const {
  const auto found = std::find_if(all_.begin(), all_.end(), [type](const nlattr* attribute) {
    return nla_type(attribute) == type;
  });
  return found == all_.end() ? nullptr : *found;
}

std::vector<int> Attributes::types() const {
  std::vector<int> types;
  for (const nlattr* attribute : all_) types.push_back(nla_type(attribute));
  return types;
}

Bytes Attributes::DataOf(const nlattr* attribute) {
  const auto* data = static_cast<const unsigned char*>(nla_data(attribute));
  return {data, data + nla_len(attribute)};
}

Bytes Attributes::Data(int type) const {
  const nlattr* attribute = Find(type);
  return attribute == nullptr ? Bytes() : DataOf(attribute);
}

std::string Attributes::Text(int type) const {
  const Bytes bytes = Data(type);
  return {bytes.begin(), std::find(bytes.begin(), bytes.end(), '\0')};
}

Attributes Attributes::Nested(int type) const {
  Attributes nested;
  if (const nlattr* attribute = Find(type); attribute != nullptr) {
    nested.Add(static_cast<const char*>(nla_data(attribute)),
               static_cast<std::size_t>(nla_len(attribute)));
  }
  return nested;
}

void Request::Free::operator()(nl_msg* message) const { nlmsg_free(message); }

Request::Request(int type, int flags, const void* fixed, std::size_t size)
    : message_(nlmsg_alloc_size(kRequestSize)) {
  complete_ = message_ != nullptr &&
              nlmsg_put(message_.get(), NL_AUTO_PORT, NL_AUTO_SEQ, type, 0, flags) != nullptr;
  Append(fixed, size);
}

Request& Request::Put(int type, const void* data, std::size_t size) {
  complete_ = complete_ && nla_put(message_.get(), type, static_cast<int>(size), data) == 0;
  return *this;
}

Request& Request::PutText(int type, std::string_view text) {
  const std::string terminated(text);
  return Put(type, terminated.c_str(), terminated.size() + 1);
}

Request& Request::Append(const void* data, std::size_t size) {
  if (!complete_) return *this;
  // libnl takes what is appended as const.
  complete_ = nlmsg_append(message_.get(), const_cast<void*>(data), size, NLMSG_ALIGNTO) == 0;
  return *this;
}

nlattr* Request::Begin(int type) {
  nlattr* begin = complete_ ? nla_nest_start(message_.get(), type | NLA_F_NESTED) : nullptr;
  complete_ = complete_ && begin != nullptr;
  return begin;
}

Request& Request::End(nlattr* begin) {
  // An empty nest means something to the kernel: VETH_INFO_PEER without attributes, for one.
  if (complete_) complete_ = nla_nest_end_keep_empty(message_.get(), begin) == 0;
  return *this;
}

}  // namespace crd::net
