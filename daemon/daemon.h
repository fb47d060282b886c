#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "daemon/base/children.h"
#include "daemon/base/clock.h"
#include "daemon/core/engine.h"
#include "daemon/core/ports.h"
#include "daemon/options.h"
#include "daemon/rpc/listener.h"
#include "daemon/rpc/peer.h"
#include "daemon/rpc/server.h"
#include "daemon/rpc/services.h"
#include "systemd/event_loop.h"
#include "systemd/exit_watch.h"
#include "systemd/fd_store.h"
#include "systemd/listen_fds.h"
#include "systemd/notifier.h"

namespace crd {

// Everything that crd consists of, in the order of its start; stopping is the same list backwards.
// The only place that knows all of it. Belongs to the main thread.
class Daemon {
 public:
  // Signals are blocked, and no thread exists yet.
  static Result<std::unique_ptr<Daemon>> Create(const Options& options);
  Daemon(const Daemon&) = delete;
  Daemon& operator=(const Daemon&) = delete;
  ~Daemon();

  // Serves until SIGTERM or SIGINT; gives the exit status.
  Result<int> Run();

 private:
  Daemon(const Options& options, const rlimit& children_descriptors)
      : options_(options), children_(children_descriptors) {}
  Result<void> OpenState();
  Result<void> PrepareCriu();
  Result<void> BringTogether(std::vector<systemd::NamedFd> kept);
  Result<void> StartServing(std::vector<systemd::NamedFd> listeners);
  Result<void> Listen(std::vector<systemd::NamedFd> inherited);
  void Stop();

  const Options options_;
  const SystemClock clock_;
  systemd::Notifier notifier_;
  systemd::FdStore fd_store_;
  std::unique_ptr<systemd::EventLoop> loop_;
  std::unique_ptr<systemd::ExitWatch> exit_watch_;
  std::unique_ptr<ExitWatcher> exit_watcher_;
  std::unique_ptr<FdKeeper> fd_keeper_;
  Children children_;
  std::string cgroup_base_;
  std::unique_ptr<Inventory> inventory_;
  std::unique_ptr<ImageStore> images_;
  std::unique_ptr<criu::Criu> criu_;
  bool kernel_cache_primed_ = false;
  std::unique_ptr<Networks> networks_;
  std::unique_ptr<NetnsPins> pins_;
  std::unique_ptr<Reservations> reservations_;
  std::unique_ptr<Containers> containers_;
  std::unique_ptr<Engine> engine_;
  std::unique_ptr<rpc::PeerTable> peers_;
  std::unique_ptr<rpc::Services> services_;
  std::unique_ptr<rpc::Server> server_;
  std::vector<rpc::Listener> listeners_;
  std::vector<systemd::EventSource> sources_;
};

}  // namespace crd
