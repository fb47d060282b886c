#include "daemon/base/ids.h"

#include <algorithm>
#include <cstdint>

#include <sys/random.h>

namespace crd {

std::string RandomHex16() {
  std::uint64_t bits = 0;
  // Eight bytes never come short and never fail once the pool is up (getrandom(2)), which it is
  // long before a daemon starts.
  while (::getrandom(&bits, sizeof bits, 0) != static_cast<ssize_t>(sizeof bits)) {
  }
  return fmt::format("{:016x}", bits);
}

bool IsValidName(std::string_view name) {
  const auto alnum = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
  };
  return !name.empty() && name.size() <= 64 && alnum(name.front()) &&
         std::all_of(name.begin(), name.end(),
                     [&](char c) { return alnum(c) || c == '.' || c == '_' || c == '-'; });
}

}  // namespace crd
