#pragma once

#include <string>
#include <string_view>

#include "daemon/criu/criu.h"

namespace crd::criu {

// What decides whether a CRIU works on a kernel.
struct KernelTraits {
  std::string release;  // uname -r
  // SO_PASSCRED and SO_PASSSEC are refused on sockets that are not AF_UNIX, AF_NETLINK or
  // AF_BLUETOOTH: Linux 6.16, and kernels that took the change back.
  bool refuses_passcred_on_inet = false;
};

// Asks the running kernel. Cannot fail: what can't be asked is taken for harmless.
KernelTraits ProbeKernel();

// Empty when `version` works on `kernel`, else why it doesn't and which version would. Pure.
std::string FindIncompatibility(const Version& version, const KernelTraits& kernel);

}  // namespace crd::criu
