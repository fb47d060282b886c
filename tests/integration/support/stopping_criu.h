#pragma once

#include <string>

#include <sys/stat.h>
#include <unistd.h>

#include "tests/integration/support/integration_test.h"

namespace crd::testing {

// Tests whose CRIU stops itself (SIGSTOP) at a chosen moment, so that what is done to it then is
// done at that moment, however quick or busy the machine is.
class WithStoppingCriu : public IntegrationTest {
 protected:
  // Starts crd again; the first dump or restore from then on stops
  //   "started":     before it does anything
  //   "lock made":   the nftables table is there
  //   "pages begun": the tree is frozen, its files are looked at, the first pages are written
  //   "root killed": the images are committed and the tree's root, `tree`, is killed
  [[nodiscard]] bool RestartWithCriuThatStopsBehind(const std::string& moment, pid_t tree = 0) {
    const std::string script = dir_ / "criu";
    const std::string armed = dir_ / "armed";
    const std::string stop = moment == "started"
                                 ? "echo $$ >'" + Mark() + "'; kill -STOP $$"
                                 : "export STOP_CRIU_BEHIND='" + moment + "' STOP_CRIU_MARK='" +
                                       Mark() + "' STOP_CRIU_TREE=" + std::to_string(tree) +
                                       " LD_PRELOAD=" STOP_CRIU_LIBRARY;
    ::unlink(Mark().c_str());
    Spill(script, "#!/bin/sh\nif rmdir '" + armed + "' 2>/dev/null; then " + stop + "; fi\nexec '" +
                      api_->Info()->criu_path() + "' \"$@\"\n");
    ::chmod(script.c_str(), 0755);
    criu_ = script;
    // Only now: what crd asks CRIU at its start must not stop.
    return Restart() && ::mkdir(armed.c_str(), 0700) == 0;
  }
  // From the next start on.
  void UseSoundCriu() { criu_.clear(); }

  // The pid of a CRIU that has stopped itself; -1 if it did not until `ended`.
  pid_t AwaitStoppedCriu(const std::function<bool()>& ended) {
    pid_t stopped = -1;
    static_cast<void>(WaitUntil([&] {
      const std::string pid = Slurp(Mark());
      if (pid.ends_with('\n') && StateOf(std::stoi(pid)) == 'T') stopped = std::stoi(pid);
      return stopped > 0 || ended();
    }));
    return stopped;
  }

  CrdDaemon::Options DaemonOptions() override {
    return {.arguments = {}, .environment = {}, .criu = criu_};
  }

 private:
  // Where a CRIU that stops writes its pid.
  [[nodiscard]] std::string Mark() const { return dir_ / "stopped"; }

  std::string criu_;
};

}  // namespace crd::testing
