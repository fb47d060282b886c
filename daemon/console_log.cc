#include "daemon/console_log.h"

#include <cerrno>

#include <sys/prctl.h>
#include <unistd.h>

namespace crd {
namespace {

constexpr int kMaster = 0;
constexpr int kLog = 1;

void WriteAll(const char* data, ssize_t left) {
  while (left > 0) {
    const ssize_t written = ::write(kLog, data, static_cast<std::size_t>(left));
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return;
    data += written;
    left -= written;
  }
}

}  // namespace

int CopyConsole() {
  ::prctl(PR_SET_NAME, "crd-console");
  char data[4096];
  for (;;) {
    const ssize_t got = ::read(kMaster, data, sizeof data);
    if (got < 0 && errno == EINTR) continue;
    // EIO: the last who had it open has closed it.
    if (got <= 0) return 0;
    WriteAll(data, got);
  }
}

}  // namespace crd
