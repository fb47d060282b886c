#pragma once

#include <optional>
#include <string>
#include <vector>

#include "daemon/base/pid_fd.h"
#include "tests/integration/support/child_reaper.h"

namespace crd::testing {

// How to start a program.
struct Launch {
  std::vector<std::string> argv;
  std::vector<std::string> environment = {};  // NAME=VALUE, in addition to the test's own
  // Opened in the child: paths, or descriptors of the test if a path is empty.
  struct Stream {
    std::string path = "/dev/null";
    int fd = -1;
  };
  Stream in = {}, out = {}, err = {};
  std::vector<int> inherited = {};  // descriptors of the test that become 3, 4, …
  bool new_session = false;         // a terminal that is opened then is the controlling one
};

// A program that the test started. Killed at the end of the scope if it still runs.
class Process {
 public:
  Process(ChildReaper& reaper, const Launch& launch);
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;
  ~Process();

  [[nodiscard]] pid_t pid() const { return pid_; }
  // False once it has ended: its pid may be another's then.
  [[nodiscard]] bool Runs() const;
  void Signal(int signal) const;
  // How it ended; nothing known if it did not in time.
  ExitStatus Wait(Deadline deadline);

 private:
  ChildReaper& reaper_;
  pid_t pid_ = -1;
  std::optional<PidFd> process_;
};

// What a program did.
struct Outcome {
  int exit = -1;  // as a shell says it: 128 + signal if it was killed, -1 if it hung
  std::string out;
  std::string err;
  // The output without the newline at its end.
  [[nodiscard]] std::string Line() const;
};
void PrintTo(const Outcome& outcome, std::ostream* out);

// Runs a program to its end. `input` is its stdin.
Outcome RunProgram(ChildReaper& reaper, std::vector<std::string> argv,
                   const std::string& input = "");

// A file's content, empty if there is none.
std::string Slurp(const std::string& path);
void Spill(const std::string& path, const std::string& content);

}  // namespace crd::testing
