#include "daemon/core/terminals.h"

#include <linux/major.h>
#include <sys/sysmacros.h>

namespace crd {
namespace {

constexpr unsigned kUsbSerialMajor = 188;
constexpr unsigned kLowDenseSerialMajor = 204;
constexpr unsigned kFirstConsole = 1;
constexpr unsigned kLastConsole = 63;
constexpr unsigned kControllingTerminal = 0;  // /dev/tty
constexpr unsigned kConsole = 1;              // /dev/console
constexpr unsigned kMultiplexer = 2;          // /dev/ptmx

}  // namespace

bool IsPtySlave(dev_t rdev) { return major(rdev) == UNIX98_PTY_SLAVE_MAJOR; }

bool IsPtyMaster(dev_t rdev) {
  return (major(rdev) == TTYAUX_MAJOR && minor(rdev) == kMultiplexer) ||
         (major(rdev) >= UNIX98_PTY_MASTER_MAJOR &&
          major(rdev) < UNIX98_PTY_MASTER_MAJOR + UNIX98_PTY_MAJOR_COUNT);
}

bool IsTerminal(dev_t rdev) {
  if (IsPtySlave(rdev) || IsPtyMaster(rdev)) return true;
  switch (major(rdev)) {
    case TTYAUX_MAJOR:
      return minor(rdev) == kControllingTerminal || minor(rdev) == kConsole;
    case TTY_MAJOR:
      return minor(rdev) >= kFirstConsole && minor(rdev) <= kLastConsole;
    case kUsbSerialMajor:
    case kLowDenseSerialMajor:
      return true;
    default:
      return false;
  }
}

}  // namespace crd
