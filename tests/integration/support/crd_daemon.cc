#include "tests/integration/support/crd_daemon.h"

#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <system_error>

#include <gtest/gtest.h>
#include <poll.h>

#include "tests/integration/support/wait_until.h"

namespace crd::testing {
namespace {

std::vector<pid_t> PidsIn(const std::string& cgroup) {
  std::vector<pid_t> pids;
  std::ifstream file(cgroup + "/cgroup.procs");
  for (pid_t pid = 0; file >> pid;) pids.push_back(pid);
  return pids;
}

}  // namespace

CrdDaemon::CrdDaemon(ChildReaper& reaper, const std::string& directory, std::string state)
    : reaper_(reaper),
      directory_(directory),
      state_(state.empty() ? directory + "/state" : std::move(state)),
      socket_(directory + "/run/crd.sock"),
      notify_(directory + "/notify") {}

CrdDaemon::~CrdDaemon() {
  Kill9();
  RemoveCgroups();
}

std::vector<std::string> CrdDaemon::CommandLine(const std::string& criu) const {
  std::vector<std::string> line = {CRD_BINARY,          "--socket",    socket_,
                                   "--state-dir",       state_,        "--run-dir",
                                   directory_ + "/run", "--log-level", "debug"};
  // An empty file of the test's own: the host's must not matter.
  const std::string config = directory_ + "/crd.conf";
  if (!std::filesystem::exists(config)) Spill(config, "");
  line.insert(line.end(), {"--config", config});
  const char* working = std::getenv("CRD_CRIU");
  if (!criu.empty() || working != nullptr) {
    line.insert(line.end(), {"--criu", criu.empty() ? working : criu});
  }
  return line;
}

void CrdDaemon::Launch(const Options& options) {
  notify_.Clear();
  crd::testing::Launch launch{.argv = CommandLine(options.criu),
                              .environment = options.environment,
                              .in = {},
                              .out = {.path = directory_ + "/crd.log"},
                              .err = {.path = directory_ + "/crd.log"},
                              .inherited = {}};
  launch.environment.push_back("NOTIFY_SOCKET=" + notify_.path());
  if (options.with_kept_descriptors) {
    std::string names;
    for (const auto& [name, fd] : notify_.Store()) {
      launch.inherited.push_back(fd);
      names += (names.empty() ? "" : ":") + name;
    }
    launch.environment.push_back("LISTEN_FDS=" + std::to_string(launch.inherited.size()));
    launch.environment.push_back("LISTEN_FDNAMES=" + names);
    // Only a process that is there already knows its own pid.
    launch.argv.insert(launch.argv.begin(),
                       {"/bin/sh", "-c", "export LISTEN_PID=$$; exec \"$@\"", "sh"});
  }
  launch.argv.insert(launch.argv.end(), options.arguments.begin(), options.arguments.end());
  process_ = std::make_unique<Process>(reaper_, launch);
}

bool CrdDaemon::Start() { return Start(Options{}); }

bool CrdDaemon::Start(const Options& options) {
  Launch(options);
  const bool ready =
      WaitUntil([&] { return notify_.Saw("READY=1") || !process_->Runs(); }) && process_->Runs();
  if (!ready) ADD_FAILURE() << "crd did not start:\n" << Log();
  return ready;
}

ExitStatus CrdDaemon::StartAndFail(const Options& options) {
  Launch(options);
  const ExitStatus status = process_->Wait(Within(kPatience));
  process_.reset();
  return status;
}

ExitStatus CrdDaemon::Stop() {
  if (process_ == nullptr) return {};
  process_->Signal(SIGTERM);
  const ExitStatus status = process_->Wait(Within(std::chrono::seconds(60)));
  process_.reset();
  return status;
}

void CrdDaemon::Kill9() {
  if (process_ == nullptr) return;
  process_->Signal(SIGKILL);
  static_cast<void>(process_->Wait(Within(kPatience)));
  process_.reset();
}

std::string CrdDaemon::Log() const { return Slurp(directory_ + "/crd.log"); }

std::string CrdDaemon::CgroupBase() const { return Slurp(state_ + "/cgroup"); }

std::vector<std::string> CrdDaemon::Cgroups() const {
  std::vector<std::string> names;
  const std::string base = CgroupBase();
  std::error_code error;
  if (base.empty()) return names;
  for (const auto& entry : std::filesystem::directory_iterator(base, error)) {
    if (entry.is_directory(error)) names.push_back(entry.path().filename());
  }
  return names;
}

std::vector<pid_t> CrdDaemon::CgroupPids() const {
  std::vector<pid_t> pids;
  for (const std::string& name : Cgroups()) {
    const std::vector<pid_t> more = PidsIn(CgroupBase() + "/" + name);
    pids.insert(pids.end(), more.begin(), more.end());
  }
  return pids;
}

void CrdDaemon::RemoveCgroups() const {
  const std::string base = CgroupBase();
  if (base.empty() || base.find("/crd-") == std::string::npos) return;
  for (const std::string& name : Cgroups()) {
    const std::string path = base + "/" + name;
    std::ofstream(path + "/cgroup.kill") << "1";
    static_cast<void>(WaitUntil([&] { return PidsIn(path).empty(); }));
    static_cast<void>(WaitUntil([&] { return ::rmdir(path.c_str()) == 0 || errno == ENOENT; }));
  }
  ::rmdir(base.c_str());
}

}  // namespace crd::testing
