#include "daemon/runtime/network.h"

#include <algorithm>
#include <array>
#include <sstream>
#include <string_view>

#include "daemon/base/files.h"

namespace crd::runtime {
namespace {

// fb_tunnels_only_for_init_net is 0 by default.
constexpr std::array<std::string_view, 10> kEverywhere = {
    "lo",   "tunl0",   "gre0",    "gretap0", "erspan0",
    "sit0", "ip6tnl0", "ip6gre0", "ip_vti0", "ip6_vti0"};

}  // namespace

std::vector<std::string> ParseInterfaces(const std::string& text) {
  std::vector<std::string> names;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    const std::size_t colon = line.find(':');
    const std::size_t start = line.find_first_not_of(' ');
    if (colon == std::string::npos || start >= colon) continue;
    std::string name = line.substr(start, colon - start);
    if (std::find(kEverywhere.begin(), kEverywhere.end(), name) == kEverywhere.end()) {
      names.push_back(std::move(name));
    }
  }
  return names;
}

Result<std::vector<std::string>> OwnInterfaces(pid_t pid) {
  return ParseInterfaces(TRY(ReadFile(fmt::format("/proc/{}/net/dev", pid))));
}

Result<bool> LoopbackIsUp(pid_t pid) {
  // The kernel routes loopback's addresses as long as it is up.
  const auto routes = TRY(ReadFile(fmt::format("/proc/{}/net/fib_trie", pid)));
  return routes.find("127.0.0.1") != std::string::npos;
}

}  // namespace crd::runtime
