#pragma once

#include <cstdint>
#include <functional>
#include <memory>

#include "daemon/base/result.h"
#include "daemon/base/unique_fd.h"
#include "systemd/event_loop.h"

namespace crd::systemd {

// Tells when processes end, children of ours or not. Any thread may call Watch() and Cancel(); the
// object is made and destroyed on the loop's thread, and before the loop. What it still watches by
// then is forgotten without a call.
class ExitWatch {
 public:
  using Token = std::uint64_t;
  using Function = std::function<void()>;

  explicit ExitWatch(EventLoop& loop);
  ExitWatch(const ExitWatch&) = delete;
  ExitWatch& operator=(const ExitWatch&) = delete;
  ExitWatch(ExitWatch&&) = delete;
  ExitWatch& operator=(ExitWatch&&) = delete;
  ~ExitWatch();

  // Calls `on_exit` once, on the loop's thread and never from within Watch(), when the process has
  // ended (it may still be a zombie): at once if it has ended already. Works on a copy of the
  // descriptor; the caller's may be closed at any time. Fails when none can be made (EMFILE).
  [[nodiscard]] Result<Token> Watch(FdRef pidfd, Function on_exit);
  // Once it has returned, `on_exit` does not begin any more; on the loop's thread it is not running
  // either. An unknown or used token is no error.
  void Cancel(Token token);

 private:
  struct State;
  EventLoop& loop_;
  std::shared_ptr<State> state_;
};

}  // namespace crd::systemd
