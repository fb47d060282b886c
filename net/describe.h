#pragma once

#include "daemon/base/result.h"
#include "daemon/base/unique_fd.h"
#include "net/description.h"

namespace crd::net {

// Reads a network namespace, and what of the caller's namespace belongs to it: the outer ends of
// its veth pairs and the bridges that they are plugged into. Changes nothing. What was changed
// meanwhile may be half in it: whoever can change it is stopped, or trusted.
//
// Any thread; needs CAP_SYS_ADMIN. About 2 ms for one veth pair.
Result<Description> Describe(FdRef netns);

}  // namespace crd::net
