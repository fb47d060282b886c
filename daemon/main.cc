#include <csignal>
#include <cstdio>
#include <exception>

#include <sys/prctl.h>
#include <sys/stat.h>

#include "daemon/base/log.h"
#include "daemon/daemon.h"
#include "daemon/options.h"

namespace crd {
namespace {

// Before any thread exists: threads inherit the mask, and the event loop reads these signals
// itself.
void BlockSignals() {
  sigset_t blocked;
  ::sigemptyset(&blocked);
  for (const int signal : {SIGTERM, SIGINT, SIGCHLD}) ::sigaddset(&blocked, signal);
  ::pthread_sigmask(SIG_BLOCK, &blocked, nullptr);
  ::signal(SIGPIPE, SIG_IGN);  // NOLINT(cert-err33-c): cannot fail for this signal
}

Result<int> Serve(const Options& options) {
  TRY(SetUpLog(options.log_level));
  // Images hold the memory of programs, and with it their secrets.
  ::umask(077);
  if (::prctl(PR_SET_CHILD_SUBREAPER, 1) != 0) return Error::Errno("become a subreaper");
  auto daemon = TRY(Daemon::Create(options));
  return daemon->Run();
}

}  // namespace
}  // namespace crd

int main(int argc, char** argv) {
  try {
    crd::BlockSignals();
    const auto options = crd::ParseOptions(argc, argv);
    if (!options.ok()) return 2;
    const auto served = crd::Serve(*options);
    if (served.ok()) return *served;
    std::fprintf(stderr, "crd: %s\n", served.error().message.c_str());
    if (!served.error().hint.empty())
      std::fprintf(stderr, "  hint: %s\n", served.error().hint.c_str());
  } catch (const std::exception& exception) {
    std::fprintf(stderr, "crd: unexpected: %s\n", exception.what());
  }
  return 1;
}
