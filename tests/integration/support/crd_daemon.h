#pragma once

#include <memory>
#include <string>
#include <vector>

#include "tests/integration/support/notify_socket.h"
#include "tests/integration/support/process.h"

namespace crd::testing {

// A real crd with everything of its own: socket, state, cgroup. It is started anew on the same
// state as often as a test likes. At the end what it restored is killed and what it made on the
// host is removed.
class CrdDaemon {
 public:
  struct Options {
    std::vector<std::string> arguments;
    std::vector<std::string> environment;
    // What an earlier crd gave to the store comes back, as systemd does it.
    bool with_kept_descriptors = false;
    std::string criu = {};  // instead of the one that works
  };

  // `directory` is the test's own. `state` may be elsewhere: a small file system.
  CrdDaemon(ChildReaper& reaper, const std::string& directory, std::string state = "");
  CrdDaemon(const CrdDaemon&) = delete;
  CrdDaemon& operator=(const CrdDaemon&) = delete;
  ~CrdDaemon();

  // Starts it and waits until it says READY=1; false, with its log printed, when it ends instead.
  [[nodiscard]] bool Start();
  [[nodiscard]] bool Start(const Options& options);
  // Starts it, expecting that it refuses; gives how it ended.
  ExitStatus StartAndFail(const Options& options);
  // SIGTERM, and waits for the end.
  ExitStatus Stop();
  void Kill9();
  [[nodiscard]] bool Runs() const { return process_ != nullptr && process_->Runs(); }
  // It ended though nobody asked it to.
  [[nodiscard]] bool Died() const { return process_ != nullptr && !process_->Runs(); }
  [[nodiscard]] pid_t pid() const { return process_ == nullptr ? -1 : process_->pid(); }

  [[nodiscard]] const std::string& socket() const { return socket_; }
  [[nodiscard]] const std::string& state() const { return state_; }
  [[nodiscard]] NotifySocket& notify() { return notify_; }
  // Everything that it has logged so far.
  [[nodiscard]] std::string Log() const;
  // Its command line, for starting it in another way.
  [[nodiscard]] std::vector<std::string> CommandLine(const std::string& criu = "") const;

  // Processes in its cgroups: restored trees, running CRIUs.
  [[nodiscard]] std::vector<pid_t> CgroupPids() const;
  // Names of its cgroups: "ct-…", "op-…".
  [[nodiscard]] std::vector<std::string> Cgroups() const;

 private:
  void Launch(const Options& options);
  void RemoveCgroups() const;
  [[nodiscard]] std::string CgroupBase() const;

  ChildReaper& reaper_;
  const std::string directory_;
  const std::string state_;
  const std::string socket_;
  NotifySocket notify_;
  std::unique_ptr<Process> process_;
};

}  // namespace crd::testing
