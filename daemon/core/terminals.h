#pragma once

#include <sys/types.h>

namespace crd {

// Character devices that CRIU dumps as terminals (criu 4.2, tty.c: get_tty_driver).
bool IsTerminal(dev_t rdev);
// The slave end of a pseudo terminal: /dev/pts/N.
bool IsPtySlave(dev_t rdev);
// The multiplexer through which masters are opened: /dev/ptmx.
bool IsPtyMaster(dev_t rdev);

}  // namespace crd
