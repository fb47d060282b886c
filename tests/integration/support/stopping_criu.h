#pragma once

#include <string>

#include <sys/stat.h>

#include "tests/integration/support/integration_test.h"

namespace crd::testing {

// Tests whose CRIU stops itself (SIGSTOP) behind a chosen moment of a dump, so that what is done to
// it then is done at that moment, however busy the machine is.
class WithStoppingCriu : public IntegrationTest {
 protected:
  // "lock made":   the nftables table is there
  // "pages begun": the first pages are in their file
  // "root killed": the images are committed and the tree's root, `tree`, is killed
  [[nodiscard]] bool RestartWithCriuThatStopsBehind(const std::string& moment, pid_t tree = 0) {
    const std::string script = dir_ / "criu";
    // Only where it serves: what crd asks it at start would stop, too.
    Spill(script, "#!/bin/sh\ncase \"$*\" in *swrk*) export STOP_CRIU_BEHIND='" + moment +
                      "' STOP_CRIU_TREE=" + std::to_string(tree) +
                      " LD_PRELOAD=" STOP_CRIU_LIBRARY ";; esac\nexec '" +
                      api_->Info()->criu_path() + "' \"$@\"\n");
    ::chmod(script.c_str(), 0755);
    criu_ = script;
    return Restart();
  }
  // From the next start on.
  void UseSoundCriu() { criu_.clear(); }

  // The pid of a CRIU that has stopped itself; -1 if it did not until `ended`.
  pid_t AwaitStoppedCriu(const std::function<bool()>& ended) {
    // It may have begun as one that was forked, or stop in one that it forks.
    pid_t stopped = -1;
    static_cast<void>(WaitUntil([&] {
      for (const pid_t pid : crd_.CgroupPids()) {
        if (IsCriu(pid) && StateOf(pid) == 'T') stopped = pid;
      }
      return stopped > 0 || ended();
    }));
    return stopped;
  }

  CrdDaemon::Options DaemonOptions() override {
    return {.arguments = {}, .environment = {}, .criu = criu_};
  }

 private:
  std::string criu_;
};

}  // namespace crd::testing
