#include "store/table.h"

namespace crd::store {
namespace {

// As many as the statements have parameters for; no subject has more states.
constexpr std::size_t kMaxStates = 8;

}  // namespace

std::optional<std::string> UpperBound(std::string_view prefix) {
  std::string end(prefix);
  while (!end.empty() && end.back() == '\xff') end.pop_back();
  if (end.empty()) return std::nullopt;
  end.back() = static_cast<char>(static_cast<unsigned char>(end.back()) + 1);
  return end;
}

Result<void> BindStates(Statement& statement, int first, const std::vector<std::string>& states) {
  if (states.size() > kMaxStates) {
    return Error{.code = Code::kInvalidArgument,
                 .message = fmt::format("filter by {} states: at most {} can be asked for",
                                        states.size(), kMaxStates)};
  }
  for (const std::string& state : states) statement.Bind(first++, state);
  return {};
}

}  // namespace crd::store
