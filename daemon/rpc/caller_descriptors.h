#pragma once

#include "daemon/base/result.h"
#include "daemon/core/requests.h"
#include "daemon/rpc/peer.h"

namespace crd::rpc {

// Copies of descriptors 0, 1 and 2 of the process that calls, taken through its pidfd (Linux 5.6;
// needs the right to ptrace it). Any thread.
//
// CALLER_GONE if it has ended, if it never was a process that this host can see, or if `peer` is
// null; INVALID_REQUEST if it has closed one of them.
Result<StdioFromCaller> TakeDescriptors(const Peer* peer);

}  // namespace crd::rpc
