#include <csignal>
#include <cstdio>
#include <cstring>
#include <exception>
#include <variant>

#include <sys/prctl.h>
#include <sys/stat.h>

#include "daemon/base/log.h"
#include "daemon/console_log.h"
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

// To stderr, whatever the log goes to: whoever starts crd by hand looks there.
static int Complain(const Error& error, int exit_status) {
  std::fprintf(stderr, "crd: %s\n", error.message.c_str());
  if (!error.hint.empty()) std::fprintf(stderr, "  hint: %s\n", error.hint.c_str());
  return exit_status;
}

}  // namespace crd

int main(int argc, char** argv) {
  // Started by crd itself.
  if (argc == 2 && std::strcmp(argv[1], "--copy-console") == 0) return crd::CopyConsole();
  try {
    crd::BlockSignals();
    const auto parsed = crd::ParseOptions(argc, argv);
    if (!parsed.ok()) return crd::Complain(parsed.error(), 2);
    if (const auto* print = std::get_if<crd::PrintAndExit>(&*parsed)) {
      std::fputs(print->text.c_str(), stdout);
      return 0;
    }
    const auto served = crd::Serve(std::get<crd::Options>(*parsed));
    return served.ok() ? *served : crd::Complain(served.error(), 1);
  } catch (const std::exception& exception) {
    std::fprintf(stderr, "crd: unexpected: %s\n", exception.what());
  }
  return 1;
}
