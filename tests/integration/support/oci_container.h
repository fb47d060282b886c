#pragma once

#include <functional>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "tests/integration/support/process.h"

namespace crd::testing {

// A runtime and the cgroups that it sees.
enum class Flavour {
  kRunc,    // as the host has them
  kCrun,    // likewise; of a hybrid host's the v1 ones, as crun 1.8 refuses hybrid
  kRuncV2,  // cgroup2 alone, mounted for it where the host has others
};
std::string FlavourName(Flavour flavour);

// A real container from a bundle of its own with a root of busybox, on state directories of its
// own. Deleted, and what was in it killed, at the end of the scope.
//
// Its program counts up in memory and writes the number to /data/count, a bind mount of `data()`.
class OciContainer {
 public:
  using Change = std::function<void(nlohmann::json& config)>;

  OciContainer(ChildReaper& reaper, const std::string& directory, Flavour flavour);
  OciContainer(const OciContainer&) = delete;
  OciContainer& operator=(const OciContainer&) = delete;
  ~OciContainer();

  // Lets systemd make its cgroups, from now on: the scope crd-test-<number>.scope in this slice.
  void LetSystemdMakeCgroups(const std::string& slice) { slice_ = slice; }
  [[nodiscard]] std::string ScopeName() const { return id_ + ".scope"; }

  // Runs it detached, its output to `output` or else `out()`; true once it counts.
  [[nodiscard]] bool Run(const Change& change = {}, const std::string& output = "");
  // The same, its standard output and error a pipe.
  [[nodiscard]] bool RunInto(FdRef pipe, const Change& change = {});
  // The same with `terminal: true`: its console goes to this socket.
  [[nodiscard]] bool RunWithConsole(const std::string& socket, const Change& change);
  // The runtime with its state directory and cgroups, and these words.
  Outcome Runtime(const std::vector<std::string>& words);
  // A program of its name in this directory that sees the same cgroups, for crd to call.
  void PutRuntimeInto(const std::string& directory) const;
  // Whether that is built to checkpoint and restore: Debian 12's crun is not.
  [[nodiscard]] bool RuntimeHasCriu();
  // The same, and it uses this CRIU.
  Outcome RuntimeWithCriu(const std::string& criu, std::vector<std::string> words);
  // What the runtime says of it: "running", "stopped"; empty if it does not know it.
  [[nodiscard]] std::string Status();
  [[nodiscard]] pid_t Pid();

  // Its cgroup2 if it has one of its own, else its v1 freezer.
  [[nodiscard]] std::string CgroupDirectory();
  // Asks that to freeze, and does not wait.
  void Freeze();

  [[nodiscard]] long Count() const;
  [[nodiscard]] bool Counts() const;

  [[nodiscard]] const std::string& id() const { return id_; }
  // "runc" or "crun".
  [[nodiscard]] std::string runtime() const;
  // For --root.
  [[nodiscard]] std::string root() const { return directory_ + "/state"; }
  [[nodiscard]] std::string bundle() const { return directory_ + "/bundle"; }
  [[nodiscard]] std::string data() const { return directory_ + "/data"; }
  [[nodiscard]] std::string out() const { return directory_ + "/out"; }

 private:
  [[nodiscard]] std::vector<std::string> CommandLine(const std::vector<std::string>& words) const;
  [[nodiscard]] nlohmann::json Config() const;
  bool RunAs(const Change& change, const std::vector<std::string>& options,
             const Launch::Stream& output);

  ChildReaper& reaper_;
  const std::string directory_;
  const Flavour flavour_;
  const std::string id_;
  std::string slice_;  // of systemd's; empty: the runtime makes its cgroups itself
};

// Gives a config.json's container a namespace of its own, or lets it join one.
void SetNamespace(nlohmann::json& config, const std::string& type, const std::string& path = "");

// Takes its sysfs away, which needs a network namespace of its own.
void LeaveOutSys(nlohmann::json& config);

// Mountpoint and flags of each mount of a process, sorted.
std::vector<std::string> MountsOf(pid_t pid);
// The limits of a process's cgroups that tests set, of every hierarchy: "pids.max 77".
std::vector<std::string> LimitsOf(pid_t pid);
// Writes to a file of a cgroup's, in place.
void WriteControl(const std::string& file, const std::string& text);
// /proc/PID/cgroup.
std::string CgroupsOfProcess(pid_t pid);

}  // namespace crd::testing
