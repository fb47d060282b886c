#pragma once

#include <functional>
#include <string>

#include "daemon/base/result.h"
#include "daemon/base/unique_fd.h"

namespace crd::net {

// Runs `work` on a thread of its own that has entered the network namespace, and waits for it: no
// other thread of this process ever changes its namespace. An invalid `netns` means the caller's,
// and runs it right here. Sockets that `work` opens stay in the namespace they were opened in.
// Any thread; needs CAP_SYS_ADMIN.
Result<void> RunInNetns(FdRef netns, const std::function<Result<void>()>& work);

// The same in a namespace that is made for it, and ends with the last that holds it.
Result<void> RunInNewNetns(const std::function<Result<void>()>& work);

// A new namespace that lives as long as the descriptor.
Result<UniqueFd> MakeNetns();

// The namespace that a path leads to: a bind mount, or /proc/PID/ns/net. NOT_A_NETWORK_NAMESPACE
// for anything else, NETNS_NOT_FOUND where there is nothing.
Result<UniqueFd> OpenNetns(const std::string& path);

// Binds a namespace to a file that is made for it, by which it outlives those who use it. Fails if
// the path exists.
Result<void> PinNetns(FdRef netns, const std::string& path);
// Takes the pin away. Having nothing to take away is no error.
Result<void> UnpinNetns(const std::string& path);

}  // namespace crd::net
