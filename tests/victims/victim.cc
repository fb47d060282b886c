// A program that is checkpointed: victim MODE REPORT [ARGUMENT…]. See modes.h.
#include <cstdlib>
#include <cstring>

#include <unistd.h>

#include "tests/victims/modes.h"

namespace crd::victims {

const char* Arguments::Text(int index, const char* fallback) const {
  return index < count ? values[index] : fallback;
}

int Arguments::Number(int index, int fallback) const {
  return index < count ? static_cast<int>(std::strtol(values[index], nullptr, 10)) : fallback;
}

namespace {

struct Mode {
  const char* name;
  void (*run)(Self&, const Arguments&);
  bool own_session = true;
};

constexpr Mode kModes[] = {{"counter", Counter},
                           {"threads", Threads},
                           {"memory", Memory},
                           {"shared-memory", SharedMemory},
                           {"sysv-memory", SysvMemory},
                           {"pipes", Pipes},
                           {"unix-sockets", UnixSockets},
                           {"tcp", Tcp},
                           {"listener", Listener},
                           {"server", Server},
                           {"backlog", Backlog},
                           {"stream", Stream},
                           {"half-closed", HalfClosed},
                           {"udp", Udp},
                           {"ghost", Ghost},
                           {"link-remap", LinkRemap},
                           {"locks", Locks},
                           {"events", Events},
                           {"periodic-timer", PeriodicTimer},
                           {"tree", Tree},
                           {"sessions", Sessions},
                           {"ends", Ends},
                           {"orphans", Orphans},
                           {"zombies", Zombies},
                           {"forker", Forker},
                           {"holder", Holder},
                           {"writer", Writer},
                           {"reader", Reader},
                           {"terminal", Terminal, /*own_session=*/false},
                           {"io-uring", IoUring},
                           {"traced", Traced},
                           {"packet-ring", PacketRing},
                           {"unix-client", UnixClient},
                           {"pipe-holder", PipeHolder},
                           {"socket", Socket},
                           {"opens", Opens}};

const Mode* FindMode(const char* name) {
  for (const Mode& mode : kModes) {
    if (std::strcmp(mode.name, name) == 0) return &mode;
  }
  return nullptr;
}

// Whatever the test had open is none of the victim's business, but for one descriptor if the mode
// is about that.
void CloseInherited(const Mode& mode, const Arguments& arguments) {
  const int keep = mode.run == PipeHolder ? arguments.Number(0, -1) : -1;
  if (keep > 3) ::dup2(keep, 3);
  ::close_range(keep < 0 ? 3 : 4, ~0U, 0);
}

int Main(int argc, char** argv) {
  const Mode* mode = argc >= 3 ? FindMode(argv[1]) : nullptr;
  if (mode == nullptr) return 2;
  const Arguments arguments{.count = argc - 3, .values = argv + 3};
  CloseInherited(*mode, arguments);
  if (mode->own_session && ::getsid(0) != ::getpid()) ::setsid();
  Self self(argv[2]);
  mode->run(self, arguments);
  return 0;
}

}  // namespace
}  // namespace crd::victims

int main(int argc, char** argv) { return crd::victims::Main(argc, argv); }
