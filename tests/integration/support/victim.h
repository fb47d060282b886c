#pragma once

#include <memory>
#include <string>
#include <vector>

#include "tests/integration/support/process.h"
#include "tests/victims/report.h"

namespace crd::testing {

// A program that is checkpointed, seen from outside. It may be dumped and restored meanwhile: what
// counts is its report, and its processes are found by the report's path on their command lines.
// The end of the scope kills them all, restored or not.
class Victim {
 public:
  struct Options {
    std::vector<std::string> arguments;
    Launch::Stream in, out, err;
    std::vector<int> inherited;
    bool new_session = false;
    // What starts it instead of the test: a command that gets the victim's as its last arguments.
    std::vector<std::string> starter;
  };
  Victim(ChildReaper& reaper, const std::string& directory, const std::string& mode);
  Victim(ChildReaper& reaper, const std::string& directory, const std::string& mode,
         const Options& options);
  Victim(const Victim&) = delete;
  Victim& operator=(const Victim&) = delete;
  ~Victim();

  // It runs, and every activity has begun.
  [[nodiscard]] bool Started();
  // Valid once it has started.
  [[nodiscard]] pid_t pid() const { return report_->pid.load(); }
  [[nodiscard]] std::string PidText() const { return std::to_string(pid()); }
  [[nodiscard]] const std::string& report_path() const { return path_; }
  [[nodiscard]] std::int64_t Value(int index) const { return report_->values[index].load(); }
  [[nodiscard]] std::vector<std::uint64_t> Counts() const;
  // Why it is not well, empty if it is.
  [[nodiscard]] std::string Problem() const;

  // True once every activity has gone on from where it is now.
  [[nodiscard]] bool GoesOn();
  // The same from earlier counts on: nothing was lost, and it runs.
  [[nodiscard]] bool GoesOnFrom(const std::vector<std::uint64_t>& counts);

  // Living processes of it (zombies do not count), wherever they are.
  [[nodiscard]] std::vector<pid_t> Pids() const;
  [[nodiscard]] bool Gone() const { return Pids().empty(); }
  // Kills every process of it and waits until they are gone.
  void Kill();

 private:
  [[nodiscard]] bool Has(pid_t pid) const;
  void Signal(int signal) const;
  const std::string path_;
  const victims::Report* report_ = nullptr;
  std::unique_ptr<Process> process_;
};

// Parent of a process; 0 if there is no such process.
pid_t ParentOf(pid_t pid);
// As proc(5): R, S, D, T, t, Z; '-' if there is none.
char StateOf(pid_t pid);

}  // namespace crd::testing
