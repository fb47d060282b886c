#include <csignal>
#include <string>
#include <variant>
#include <vector>

#include <unistd.h>

#include "client/command_line.h"
#include "client/output.h"

namespace {

using namespace crd::client;

[[noreturn]] void Say(const Notice& notice) {
  Output(crd::FdRef(STDOUT_FILENO)).Write(notice.out);
  Output(crd::FdRef(STDERR_FILENO)).Write(notice.err);
  ::_exit(notice.status);
}

}  // namespace

int main(int argc, char** argv) {
  // A write to a pipe that nobody reads is to fail, not to kill: a restored container may be waited
  // for still.
  ::signal(SIGPIPE, SIG_IGN);
  const auto parsed = ParseCommandLine(std::vector<std::string>(argv + 1, argv + argc));
  if (const auto* notice = std::get_if<Notice>(&parsed)) Say(*notice);
  const auto& invocation = std::get<Invocation>(parsed);
  Session session(invocation.settings, crd::FdRef(STDOUT_FILENO), crd::FdRef(STDERR_FILENO));
  // Everything is written, and gRPC's threads need not be waited for: that would take up to 4 ms.
  ::_exit(Execute(session, invocation.command));
}
