#pragma once

#include <cstdint>
#include <string>

#include <sys/types.h>

#include "tests/victims/report.h"

namespace crd::victims {

// A victim's view of its own report, and the small things that every mode needs. Nothing returns an
// error: a victim that finds something wrong says so in its report and exits with kBroken.
class Self {
 public:
  static constexpr int kBroken = 99;

  // Maps the report file, which is made if it is missing.
  explicit Self(const char* report_path);

  // Reserves places for `count` activities and returns the first. Before they are needed by
  // children.
  int Activities(int count);
  // Says that an activity has come to `count`.
  void Tick(int activity, std::uint64_t count);
  // Everything is set up: all activities run.
  void Ready();
  void SetValue(int index, std::int64_t value);

  // Ends the victim, saying why, unless `good`.
  void Require(bool good, const char* what) const;
  // The same for what a system call returned; adds errno.
  int RequireCall(long result, const char* what) const;

  // A path beside the report: what the victim makes on disk goes there.
  [[nodiscard]] std::string Beside(const char* suffix) const;

  // About a millisecond: the pace of everything that ticks.
  static void Pause();

 private:
  [[noreturn]] void Fail(const char* what, int error) const;
  std::string path_;
  Report* report_;
};

// Starts a child process that runs `body`, which never returns. It dies with its parent only if
// the test ends it. Gives its pid.
template <typename Body>
pid_t ForkChild(const Self& self, Body body);

}  // namespace crd::victims

#include <unistd.h>

template <typename Body>
pid_t crd::victims::ForkChild(const Self& self, Body body) {
  const pid_t pid = ::fork();
  self.RequireCall(pid, "fork");
  if (pid == 0) {
    body();
    ::_exit(0);
  }
  return pid;
}
