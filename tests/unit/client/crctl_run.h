#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include <sys/types.h>

#include "daemon/base/clock.h"
#include "daemon/base/unique_fd.h"

namespace crd::client {

struct Outcome {
  int status = -1;
  std::string out;
  std::string err;
};

// Runs a crctl command line inside of this process.
Outcome Crctl(const std::vector<std::string>& arguments);

// The crctl program as a process of its own, whose stdout and stderr come from pipes. Killed and
// reaped in the end, whatever happened.
class CrctlProcess {
 public:
  struct Options {
    std::vector<std::string> arguments;
    // Takes the place of the pipes where they are valid.
    FdRef out{-1};
    FdRef err{-1};
  };
  explicit CrctlProcess(const Options& options);
  CrctlProcess(const CrctlProcess&) = delete;
  CrctlProcess& operator=(const CrctlProcess&) = delete;
  CrctlProcess(CrctlProcess&&) = delete;
  CrctlProcess& operator=(CrctlProcess&&) = delete;
  ~CrctlProcess();

  void Signal(int signal) const;
  void CloseOut() { out_.reset(); }
  // Waits until it ends, at most 20 s. Exit code, or 128 + signal; -1 if it did not end.
  Outcome Finish();

 private:
  pid_t pid_ = -1;
  UniqueFd out_;
  UniqueFd err_;
};

// Waits until something is true, at most 20 s; says whether it is.
bool Eventually(const std::function<bool()>& condition);

// Everything that can be read until the other end is closed, or `enough` says so, at most 20 s.
std::string ReadUntil(FdRef fd, const std::function<bool(const std::string&)>& enough);
std::string ReadAll(FdRef fd);

}  // namespace crd::client
