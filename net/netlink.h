#pragma once

#include <cstdint>
#include <cstring>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <linux/netlink.h>
#include <linux/rtnetlink.h>

#include "daemon/base/result.h"
#include "daemon/base/unique_fd.h"
#include "net/ip_text.h"

struct nl_msg;
struct nl_sock;

namespace crd::net {

// rtnetlink(7) in terms of values: what is asked, what came back. Only for net/.

// A message that came back, whole.
class Answer {
 public:
  explicit Answer(const nlmsghdr* header);
  [[nodiscard]] int type() const { return header()->nlmsg_type; }
  // The fixed part after netlink's own header; zeros where the kernel sent less.
  template <typename Header>
  [[nodiscard]] Header Fixed() const {
    Header fixed{};
    const std::size_t there = bytes_.size() - NLMSG_HDRLEN;
    std::memcpy(&fixed, bytes_.data() + NLMSG_HDRLEN, std::min(there, sizeof fixed));
    return fixed;
  }
  [[nodiscard]] const nlmsghdr* header() const {
    return reinterpret_cast<const nlmsghdr*>(bytes_.data());
  }

 private:
  std::vector<char> bytes_;
};

// The attributes of a message or of a nest. Refers to the message.
class Attributes {
 public:
  Attributes() = default;
  Attributes(const Answer& answer, std::size_t fixed_size);
  [[nodiscard]] bool Has(int type) const { return Find(type) != nullptr; }
  // Not set where the attribute is missing or too short.
  [[nodiscard]] std::optional<std::uint32_t> U32(int type) const {
    return Number<std::uint32_t>(type);
  }
  [[nodiscard]] std::optional<std::uint8_t> U8(int type) const {
    return Number<std::uint8_t>(type);
  }
  template <typename T>
  [[nodiscard]] std::optional<T> Number(int type) const {
    const Bytes bytes = Data(type);
    if (bytes.size() < sizeof(T)) return std::nullopt;
    T value{};
    std::memcpy(&value, bytes.data(), sizeof value);
    return value;
  }
  // Empty where it is missing.
  [[nodiscard]] std::string Text(int type) const;
  [[nodiscard]] Bytes Data(int type) const;
  [[nodiscard]] Attributes Nested(int type) const;
  [[nodiscard]] std::vector<int> types() const;
  // All attributes in order, also where one type comes more than once.
  [[nodiscard]] const std::vector<const nlattr*>& all() const { return all_; }
  static Bytes DataOf(const nlattr* attribute);

 private:
  void Add(const char* data, std::size_t size);
  [[nodiscard]] const nlattr* Find(int type) const;
  std::vector<const nlattr*> all_;
};

// A message to send. Running out of room shows when it is sent.
class Request {
 public:
  template <typename Header>
  Request(int type, int flags, const Header& fixed) : Request(type, flags, &fixed, sizeof fixed) {}

  Request& Put(int type, const void* data, std::size_t size);
  Request& PutU32(int type, std::uint32_t value) { return Put(type, &value, sizeof value); }
  Request& PutU16(int type, std::uint16_t value) { return Put(type, &value, sizeof value); }
  Request& PutU8(int type, std::uint8_t value) { return Put(type, &value, sizeof value); }
  Request& PutText(int type, std::string_view text);
  Request& PutBytes(int type, const Bytes& bytes) { return Put(type, bytes.data(), bytes.size()); }
  // Bytes without a header of their own: the fixed part of a message inside a nest.
  Request& Append(const void* data, std::size_t size);
  template <typename Fill>
  Request& Nest(int type, Fill fill) {
    nlattr* begin = Begin(type);
    fill(*this);
    return End(begin);
  }

 private:
  friend class Netlink;
  struct Free {
    void operator()(nl_msg* message) const;
  };
  Request(int type, int flags, const void* fixed, std::size_t size);
  nlattr* Begin(int type);
  Request& End(nlattr* begin);
  std::unique_ptr<nl_msg, Free> message_;
  bool complete_ = true;
};

// A connection to the rtnetlink of one network namespace. One thread at a time. Errors carry the
// kernel's errno and, where it gives one, its reason in words (Linux 4.12).
class Netlink {
 public:
  // `netns` invalid: the calling thread's. The connection stays with its namespace.
  static Result<Netlink> Open(FdRef netns = FdRef(-1));

  // A question with any number of answers. Asked again when the tables changed meanwhile.
  Result<std::vector<Answer>> Dump(const Request& request, std::string_view what);
  // A question with one answer.
  Result<Answer> Ask(const Request& request, std::string_view what);
  // An order.
  Result<void> Do(const Request& request, std::string_view what);

 private:
  struct Free {
    void operator()(nl_sock* socket) const;
  };
  explicit Netlink(std::unique_ptr<nl_sock, Free> socket) : socket_(std::move(socket)) {}
  Result<std::vector<Answer>> Exchange(const Request& request, int flags, std::string_view what,
                                       bool& interrupted);
  std::unique_ptr<nl_sock, Free> socket_;
};

}  // namespace crd::net
