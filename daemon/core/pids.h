#pragma once

#include <vector>

#include <sys/types.h>

#include "daemon/base/children.h"
#include "daemon/base/clock.h"
#include "daemon/base/result.h"

namespace crd {

// Whether pids and thread ids are free for a restore, in crd's own pid namespace.
//
// Zombies are waited for until `patience`: the parent of a dumped tree may be slow to reap it.
// PID_TAKEN names who has one; PID_STILL_ZOMBIE names who should have reaped it.
Result<void> WaitPidsFree(const std::vector<pid_t>& pids, Children& children, Deadline patience);

}  // namespace crd
