#include "daemon/criu/compatibility.h"

#include <array>
#include <cerrno>

#include <fmt/format.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/utsname.h>

#include "daemon/base/unique_fd.h"

namespace crd::criu {
namespace {

struct Rule {
  bool (*applies)(const KernelTraits& kernel);
  Version needed;
  std::string_view why;
};

// Newest requirement first: the one that is named must be enough for all the others. That kernels
// since 6.13 need 4.1 for their vDSO is covered by the last rule.
constexpr std::array<Rule, 2> kRules = {{
    // A build that carries the fix as a patch (Debian's 4.1.1-3) reports 4.1.1 as well and is
    // refused too: nothing short of a dump tells them apart.
    {.applies = [](const KernelTraits& kernel) { return kernel.refuses_passcred_on_inet; },
     .needed = {.major = 4, .minor = 2, .sublevel = 0},
     .why = "on this kernel it cannot dump a process that has a network socket"},
    {.applies = [](const KernelTraits&) { return true; },
     .needed = {.major = 4, .minor = 1, .sublevel = 0},
     .why = "its images do not name the network lock, which crd has to be able to remove"},
}};

}  // namespace

std::string Version::ToString() const {
  if (sublevel == 0) return fmt::format("{}.{}", major, minor);
  return fmt::format("{}.{}.{}", major, minor, sublevel);
}

KernelTraits ProbeKernel() {
  KernelTraits traits;
  utsname name{};
  if (::uname(&name) == 0) traits.release = name.release;
  // The option itself rather than the kernel's number: distributions backport.
  const UniqueFd socket(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  int value = 0;
  socklen_t size = sizeof value;
  traits.refuses_passcred_on_inet =
      socket.valid() && ::getsockopt(socket.get(), SOL_SOCKET, SO_PASSCRED, &value, &size) != 0 &&
      errno == EOPNOTSUPP;
  return traits;
}

std::string FindIncompatibility(const Version& version, const KernelTraits& kernel) {
  for (const Rule& rule : kRules) {
    if (!rule.applies(kernel) || version >= rule.needed) continue;
    return fmt::format("CRIU {} cannot be used with Linux {}: {}; CRIU {} or later is needed",
                       version.ToString(), kernel.release, rule.why, rule.needed.ToString());
  }
  return {};
}

}  // namespace crd::criu
