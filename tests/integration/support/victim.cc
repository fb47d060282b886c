#include "tests/integration/support/victim.h"

#include <csignal>

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>

#include "daemon/base/proc.h"
#include "tests/integration/support/wait_until.h"

namespace crd::testing {
namespace {

using victims::Report;

const Report* MapReport(const std::string& path) {
  const UniqueFd file(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  if (!file.valid() || ::ftruncate(file.get(), victims::kReportSize) != 0) return nullptr;
  void* page = ::mmap(nullptr, victims::kReportSize, PROT_READ, MAP_SHARED, file.get(), 0);
  return page == MAP_FAILED ? nullptr : static_cast<const Report*>(page);
}

// The third word of the command line, which is the report of a victim.
std::string ReportOf(pid_t pid) {
  const std::string line = Slurp("/proc/" + std::to_string(pid) + "/cmdline");
  std::size_t at = 0;
  for (int word = 0; word < 2; ++word) {
    at = line.find('\0', at);
    if (at == std::string::npos) return "";
    ++at;
  }
  return line.substr(at, line.find('\0', at) - at);
}

}  // namespace

Victim::Victim(ChildReaper& reaper, const std::string& directory, const std::string& mode)
    : Victim(reaper, directory, mode, Options{}) {}

Victim::Victim(ChildReaper& reaper, const std::string& directory, const std::string& mode,
               const Options& options)
    : path_(directory + "/" + mode), report_(MapReport(path_)) {
  Launch launch{.argv = options.starter,
                .environment = {},
                .in = options.in,
                .out = options.out,
                .err = options.err,
                .inherited = options.inherited,
                .new_session = options.new_session};
  launch.argv.insert(launch.argv.end(), {VICTIM_BINARY, mode, path_});
  launch.argv.insert(launch.argv.end(), options.arguments.begin(), options.arguments.end());
  process_ = std::make_unique<Process>(reaper, launch);
}

Victim::~Victim() {
  Kill();
  ::munmap(const_cast<Report*>(report_), victims::kReportSize);
}

bool Victim::Started() {
  const bool began = WaitUntil([&] {
    if (report_->state.load() != Report::kReady) return report_->state.load() == Report::kFailed;
    for (const std::uint64_t count : Counts()) {
      if (count == 0) return false;
    }
    return true;
  });
  if (!began || report_->state.load() != Report::kReady) {
    ADD_FAILURE() << "the victim did not start: " << Problem();
    return false;
  }
  return true;
}

std::vector<std::uint64_t> Victim::Counts() const {
  std::vector<std::uint64_t> counts;
  const std::uint32_t used = report_->activities.load();
  for (std::uint32_t i = 0; i < used && i < Report::kActivities; ++i)
    counts.push_back(report_->counts[i].load());
  return counts;
}

std::string Victim::Problem() const {
  switch (report_->state.load()) {
    case Report::kStarting:
      return "it is still starting";
    case Report::kFailed:
      return static_cast<const char*>(report_->text);
    default:
      return "";
  }
}

bool Victim::GoesOn() { return GoesOnFrom(Counts()); }

bool Victim::GoesOnFrom(const std::vector<std::uint64_t>& counts) {
  constexpr std::uint64_t kSteps = 3;
  int stuck = -1;
  const bool went_on = WaitUntil([&] {
    if (!Problem().empty()) return true;
    const std::vector<std::uint64_t> now = Counts();
    for (std::size_t i = 0; i < counts.size(); ++i) {
      if (now[i] >= counts[i] + kSteps) continue;
      stuck = static_cast<int>(i);
      return false;
    }
    return true;
  });
  if (!Problem().empty()) {
    ADD_FAILURE() << "the victim found something wrong: " << Problem();
  } else if (!went_on) {
    ADD_FAILURE() << "activity " << stuck << " of the victim does not go on";
  }
  return went_on && Problem().empty();
}

bool Victim::Has(pid_t pid) const {
  // What a holder started has a report named after ours.
  const std::string report = ReportOf(pid);
  return report == path_ || report.starts_with(path_ + ".");
}

std::vector<pid_t> Victim::Pids() const {
  std::vector<pid_t> pids;
  const auto all = proc::ListProcesses();
  if (!all.ok()) return pids;
  for (const pid_t pid : *all) {
    if (Has(pid) && StateOf(pid) != 'Z') pids.push_back(pid);
  }
  return pids;
}

void Victim::Kill() {
  const bool gone = WaitUntil([&] {
    // Stopped first: none of them is to see that another one has gone.
    Signal(SIGSTOP);
    Signal(SIGKILL);
    return Gone();
  });
  if (!gone) ADD_FAILURE() << "the victim cannot be killed";
}

void Victim::Signal(int signal) const {
  for (const pid_t pid : Pids()) {
    const auto process = PidFd::Open(pid);
    // The pidfd's process is the one that is looked at now, whatever had the pid before.
    if (process.ok() && Has(pid)) static_cast<void>(process->Signal(signal));
  }
}

pid_t ParentOf(pid_t pid) {
  const auto process = proc::ProcDir::Open(pid);
  if (!process.ok()) return 0;
  const auto stat = proc::ReadStat(*process);
  return stat.ok() ? stat->ppid : 0;
}

char StateOf(pid_t pid) {
  const auto process = proc::ProcDir::Open(pid);
  if (!process.ok()) return '-';
  const auto stat = proc::ReadStat(*process);
  return stat.ok() ? stat->state : '-';
}

}  // namespace crd::testing
