#pragma once

#include <map>
#include <string>
#include <vector>

#include "daemon/base/result.h"
#include "daemon/base/unique_fd.h"

namespace crd::net {

// Settings by their path under /proc/sys/net: those of a namespace as a whole, of Linux 6.18, and
// of its interfaces. Left out are those of routes, neighbours and connection tracking's many
// timeouts, but for a few.
using Sysctls = std::map<std::string, std::string>;

// All of a namespace, for these interfaces of it. Those that the kernel does not have are left out.
Result<Sysctls> ReadSysctls(FdRef netns, const std::vector<std::string>& interfaces);

// Those of a namespace that was made just now, which is what everything is compared with: it may
// have them from the host's first one (net.core.devconf_inherit_init_net).
Result<Sysctls> ReadNewNamespaceSysctls();

// Those that differ from what the same namespace had when it was new. Pure.
Sysctls DifferingSysctls(const Sysctls& now, const Sysctls& when_new);

// Makes a namespace that has `now` have `wanted`, and what a new one has where `wanted` says
// nothing. Writes what differs only. `now` and `when_new` are of that namespace.
Result<void> WriteSysctls(FdRef netns, const Sysctls& wanted, const Sysctls& now,
                          const Sysctls& when_new);

}  // namespace crd::net
