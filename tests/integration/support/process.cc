#include "tests/integration/support/process.h"

#include <csignal>
#include <cstdlib>
#include <fstream>
#include <ostream>
#include <sstream>

#include <fcntl.h>
#include <spawn.h>
#include <sys/mman.h>

#include "tests/integration/support/wait_until.h"

namespace crd::testing {
namespace {

// Descriptors are first put where they cannot be in each other's way.
constexpr int kParking = 700;

class SpawnPlan {
 public:
  SpawnPlan() {
    ::posix_spawn_file_actions_init(&actions_);
    ::posix_spawnattr_init(&attributes_);
  }
  SpawnPlan(const SpawnPlan&) = delete;
  SpawnPlan& operator=(const SpawnPlan&) = delete;
  ~SpawnPlan() {
    ::posix_spawn_file_actions_destroy(&actions_);
    ::posix_spawnattr_destroy(&attributes_);
  }

  void SetDescriptors(const Launch& launch) {
    std::vector<int> fds = {launch.in.fd, launch.out.fd, launch.err.fd};
    fds.insert(fds.end(), launch.inherited.begin(), launch.inherited.end());
    const int count = static_cast<int>(fds.size());
    for (int i = 0; i < count; ++i) {
      const int fd = fds[static_cast<std::size_t>(i)];
      if (fd >= 0) ::posix_spawn_file_actions_adddup2(&actions_, fd, kParking + i);
    }
    for (int i = 0; i < count; ++i) {
      if (fds[static_cast<std::size_t>(i)] >= 0)
        ::posix_spawn_file_actions_adddup2(&actions_, kParking + i, i);
    }
    const Launch::Stream* streams[] = {&launch.in, &launch.out, &launch.err};
    for (int i = 0; i < 3; ++i) {
      if (streams[i]->fd >= 0) continue;
      const int how = i == 0 ? O_RDWR : O_RDWR | O_CREAT | O_APPEND;
      ::posix_spawn_file_actions_addopen(&actions_, i, streams[i]->path.c_str(), how, 0600);
    }
    ::posix_spawn_file_actions_addclosefrom_np(&actions_, count);
  }

  void SetAttributes(const Launch& launch) {
    sigset_t none;
    sigset_t all;
    sigemptyset(&none);
    sigfillset(&all);
    ::posix_spawnattr_setsigmask(&attributes_, &none);
    ::posix_spawnattr_setsigdefault(&attributes_, &all);
    const int flags = POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF |
                      (launch.new_session ? POSIX_SPAWN_SETSID : 0);
    ::posix_spawnattr_setflags(&attributes_, static_cast<short>(flags));
  }

  pid_t Run(const Launch& launch) {
    std::vector<std::string> environment = launch.environment;
    for (char** variable = environ; *variable != nullptr; ++variable) {
      environment.emplace_back(*variable);
    }
    pid_t pid = -1;
    const int failed = ::posix_spawnp(&pid, launch.argv.front().c_str(), &actions_, &attributes_,
                                      Pointers(launch.argv).data(), Pointers(environment).data());
    return failed == 0 ? pid : -1;
  }

 private:
  static std::vector<char*> Pointers(const std::vector<std::string>& texts) {
    std::vector<char*> pointers;
    for (const std::string& text : texts) pointers.push_back(const_cast<char*>(text.c_str()));
    pointers.push_back(nullptr);
    return pointers;
  }
  posix_spawn_file_actions_t actions_{};
  posix_spawnattr_t attributes_{};
};

}  // namespace

Process::Process(ChildReaper& reaper, const Launch& launch) : reaper_(reaper) {
  SpawnPlan plan;
  plan.SetDescriptors(launch);
  plan.SetAttributes(launch);
  pid_ = reaper_.Start([&] {
    const pid_t pid = plan.Run(launch);
    // Nobody reaps before this returns, so the pid is still its own.
    if (auto process = pid > 0 ? PidFd::Open(pid) : Result<PidFd>(Error{}); process.ok())
      process_.emplace(std::move(*process));
    return pid;
  });
}

Process::~Process() {
  if (!process_.has_value()) return;
  if (Runs()) static_cast<void>(process_->Signal(SIGKILL));
  static_cast<void>(reaper_.Wait(pid_, Within(kPatience)));
}

bool Process::Runs() const { return process_.has_value() && !process_->HasExited(); }

void Process::Signal(int signal) const {
  if (process_.has_value()) static_cast<void>(process_->Signal(signal));
}

ExitStatus Process::Wait(Deadline deadline) {
  if (!process_.has_value()) return {};  // It could not be started.
  const auto status = reaper_.Wait(pid_, deadline);
  return status.has_value() ? ExitStatus::FromWait(*status) : ExitStatus{};
}

std::string Outcome::Line() const {
  return !out.empty() && out.back() == '\n' ? out.substr(0, out.size() - 1) : out;
}

void PrintTo(const Outcome& outcome, std::ostream* out) {
  *out << "exit " << outcome.exit << "\nstdout: " << outcome.out << "\nstderr: " << outcome.err;
}

namespace {

std::string ReadAll(int fd) {
  std::string text;
  char part[4096];
  off_t offset = 0;
  for (;;) {
    const ssize_t got = ::pread(fd, part, sizeof part, offset);
    if (got <= 0) return text;
    text.append(part, static_cast<std::size_t>(got));
    offset += got;
  }
}

}  // namespace

Outcome RunProgram(ChildReaper& reaper, std::vector<std::string> argv, const std::string& input) {
  const UniqueFd in(::memfd_create("stdin", MFD_CLOEXEC));
  const UniqueFd out(::memfd_create("stdout", MFD_CLOEXEC));
  const UniqueFd err(::memfd_create("stderr", MFD_CLOEXEC));
  if (::pwrite(in.get(), input.data(), input.size(), 0) != static_cast<ssize_t>(input.size()))
    return {.exit = -1, .err = "it could not be given its input"};
  Process process(reaper, {.argv = std::move(argv),
                           .in = {.path = "", .fd = in.get()},
                           .out = {.path = "", .fd = out.get()},
                           .err = {.path = "", .fd = err.get()}});
  const ExitStatus status = process.Wait(Within(std::chrono::seconds(60)));
  Outcome outcome{.exit = -1, .out = ReadAll(out.get()), .err = ReadAll(err.get())};
  if (process.pid() < 0) outcome.err = "it could not be started";
  if (status.code.has_value()) outcome.exit = *status.code;
  if (status.signal.has_value()) outcome.exit = 128 + *status.signal;
  return outcome;
}

std::string Slurp(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream content;
  content << file.rdbuf();
  return content.str();
}

void Spill(const std::string& path, const std::string& content) {
  std::ofstream file(path + ".new", std::ios::binary | std::ios::trunc);
  file << content;
  file.close();
  ::rename((path + ".new").c_str(), path.c_str());
}

}  // namespace crd::testing
