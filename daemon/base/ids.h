#pragma once

#include <compare>
#include <string>
#include <string_view>
#include <utility>

#include <fmt/format.h>

#include "daemon/base/result.h"

namespace crd {

// An identifier of one kind of object: 16 lower-case hexadecimal digits from the kernel's random
// pool. Kinds do not convert into one another.
template <typename Tag>
class Id {
 public:
  Id() = default;
  explicit Id(std::string text) : text_(std::move(text)) {}
  [[nodiscard]] const std::string& str() const { return text_; }
  [[nodiscard]] bool empty() const { return text_.empty(); }
  auto operator<=>(const Id&) const = default;

 private:
  std::string text_;
};

using CheckpointId = Id<struct CheckpointTag>;
using ContainerId = Id<struct ContainerTag>;
using OperationId = Id<struct OperationTag>;

std::string RandomHex16();

template <typename IdType>
IdType NewId() {
  return IdType(RandomHex16());
}

// Names of checkpoints, containers and networks: [A-Za-z0-9][A-Za-z0-9._-]{0,63}.
bool IsValidName(std::string_view name);

}  // namespace crd

template <typename Tag>
struct fmt::formatter<crd::Id<Tag>> : fmt::formatter<std::string> {
  template <typename Context>
  auto format(const crd::Id<Tag>& id, Context& context) const {
    return fmt::formatter<std::string>::format(id.str(), context);
  }
};
