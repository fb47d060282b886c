#pragma once

#include <vector>

#include <sys/types.h>

#include "daemon/base/result.h"

namespace crd::net {

// Takes the TCP connections of a process out of repair mode, in which nothing is sent or received:
// a CRIU that was killed in the middle of a dump leaves them so for ever (TCP_REPAIR is a state of
// the socket; Linux 3.5). Sockets that are not in repair mode are left alone. Returns how many
// there were; kNotFound when the process has gone.
//
// The process must not be under a running CRIU. Any thread; needs CAP_SYS_PTRACE and CAP_NET_ADMIN
// in the process's network namespace.
Result<int> CureRepairMode(pid_t pid);

}  // namespace crd::net
