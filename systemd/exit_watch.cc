#include "systemd/exit_watch.h"

#include <map>
#include <mutex>
#include <utility>

#include <fcntl.h>
#include <spdlog/spdlog.h>
#include <sys/epoll.h>

namespace crd::systemd {

// Outlived by functions that were posted to the loop, which therefore hold it weakly.
struct ExitWatch::State {
  // A descriptor has to be open for as long as its source watches it: destroyed in reverse order.
  struct Watched {
    UniqueFd pidfd;
    EventSource source;
  };

  void Begin(EventLoop& loop, Token token, UniqueFd pidfd, const std::weak_ptr<State>& self);
  void Fire(Token token);

  std::mutex mutex;
  Token last_token = 0;                 // guarded by mutex
  std::map<Token, Function> functions;  // guarded by mutex; gone once called or cancelled
  std::map<Token, Watched> watched;     // the loop's thread only
};

void ExitWatch::State::Begin(EventLoop& loop, Token token, UniqueFd pidfd,
                             const std::weak_ptr<State>& self) {
  {
    const std::lock_guard lock(mutex);
    if (!functions.contains(token)) return;  // cancelled before it began
  }
  auto source = loop.AddIo(pidfd.ref(), EPOLLIN, [self, token](std::uint32_t) {
    if (const auto state = self.lock()) state->Fire(token);
  });
  if (!source.ok()) {
    spdlog::error("watch for the end of a process: {}", source.error().message);
    return;
  }
  watched.emplace(token, Watched{std::move(pidfd), *std::move(source)});
}

void ExitWatch::State::Fire(Token token) {
  watched.erase(token);
  Function function;
  {
    const std::lock_guard lock(mutex);
    const auto at = functions.find(token);
    if (at == functions.end()) return;
    function = std::move(at->second);
    functions.erase(at);
  }
  function();
}

ExitWatch::ExitWatch(EventLoop& loop) : loop_(loop), state_(std::make_shared<State>()) {}

ExitWatch::~ExitWatch() = default;

Result<ExitWatch::Token> ExitWatch::Watch(FdRef pidfd, Function on_exit) {
  UniqueFd copy(::fcntl(pidfd.get(), F_DUPFD_CLOEXEC, 0));
  if (!copy.valid()) return Error::Errno("duplicate pidfd {} to watch it", pidfd.get());
  Token token = 0;
  {
    const std::lock_guard lock(state_->mutex);
    token = ++state_->last_token;
    state_->functions.emplace(token, std::move(on_exit));
  }
  // A std::function is copyable, so the descriptor is shared on its way to the loop.
  auto held = std::make_shared<UniqueFd>(std::move(copy));
  loop_.Post([&loop = loop_, self = std::weak_ptr(state_), token, held] {
    if (const auto state = self.lock()) state->Begin(loop, token, std::move(*held), self);
  });
  return token;
}

void ExitWatch::Cancel(Token token) {
  Function dropped;  // destroyed outside the lock: it may own anything
  {
    const std::lock_guard lock(state_->mutex);
    const auto at = state_->functions.find(token);
    if (at == state_->functions.end()) return;
    dropped = std::move(at->second);
    state_->functions.erase(at);
  }
  loop_.Post([self = std::weak_ptr(state_), token] {
    if (const auto state = self.lock()) state->watched.erase(token);
  });
}

}  // namespace crd::systemd
