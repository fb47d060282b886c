#pragma once

#include <string>
#include <variant>

#include "daemon/base/result.h"

namespace crd {

// What crd was told on its command line and in its configuration file; the command line wins.
// Paths are absolute and not checked for existence.
struct Options {
  std::string socket = "/run/crd/crd.sock";  // or unix://PATH; unused when systemd passes a socket
  std::string state_dir = "/var/lib/crd";    // the database and the checkpoints
  std::string run_dir = "/run/crd";          // what need not survive a reboot
  std::string criu;                          // empty: look for one
  std::string config = "/etc/crd/crd.conf";
  std::string log_level = "info";
  unsigned workers = 4;  // operations at once, 1..64
};

// What to print before leaving with exit status 0: the help or the version.
struct PrintAndExit {
  std::string text;
};

// Reads the command line, and the configuration file that it names: lines of `long-option = value`.
// Without --config the usual file is read where it exists. Fails with kInvalidArgument, which is
// exit status 2, for what is unknown, empty, out of range or given twice.
[[nodiscard]] Result<std::variant<Options, PrintAndExit>> ParseOptions(int argc,
                                                                       const char* const* argv);

}  // namespace crd
