// Loaded into CRIU (LD_PRELOAD): stops it with SIGSTOP behind a moment that no signal from outside
// hits. STOP_CRIU_BEHIND names it; see stopping_criu.h. CRIU goes on with SIGCONT.
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include <dlfcn.h>
#include <fcntl.h>
#include <sys/types.h>
#include <unistd.h>

struct nft_ctx;

namespace {

bool IsMoment(const char* name) {
  const char* moment = std::getenv("STOP_CRIU_BEHIND");
  return moment != nullptr && std::strcmp(moment, name) == 0;
}

// At the first one only.
void Stop() {
  static bool stopped = false;
  if (stopped) return;
  stopped = true;
  // Who it is: children that CRIU makes to ask the kernel stop as well, for a moment.
  if (const char* mark = std::getenv("STOP_CRIU_MARK"); mark != nullptr) {
    const int fd = ::open(mark, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    ::dprintf(fd, "%d\n", ::getpid());
    ::close(fd);
  }
  ::raise(SIGSTOP);
}

template <typename Function>
Function* Next(const char* name) {
  return reinterpret_cast<Function*>(::dlsym(RTLD_NEXT, name));
}

}  // namespace

extern "C" {

int nft_run_cmd_from_buffer(nft_ctx* context, const char* command) {
  static auto* const next = Next<int(nft_ctx*, const char*)>("nft_run_cmd_from_buffer");
  const int result = next(context, command);
  // Without the run id it is CRIU's look at what the kernel can do.
  constexpr char kLock[] = "create table inet CRIU-";
  if (std::strncmp(command, kLock, std::strlen(kLock)) == 0 && IsMoment("lock made")) Stop();
  return result;
}

ssize_t splice(int from, off64_t* from_at, int to, off64_t* to_at, size_t size, unsigned flags) {
  static auto* const next = Next<ssize_t(int, off64_t*, int, off64_t*, size_t, unsigned)>("splice");
  const ssize_t result = next(from, from_at, to, to_at, size, flags);
  if (result > 0 && IsMoment("pages begun")) Stop();
  return result;
}

int kill(pid_t pid, int signal) noexcept {
  static auto* const next = Next<int(pid_t, int)>("kill");
  const int result = next(pid, signal);
  const char* root = std::getenv("STOP_CRIU_TREE");
  if (root != nullptr && pid == std::atoi(root) && signal == SIGKILL && IsMoment("root killed")) {
    Stop();
  }
  return result;
}
}
