#include "daemon/base/children.h"

#include <array>
#include <charconv>
#include <csignal>
#include <string_view>

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>

#include "daemon/base/cleanup.h"
#include "daemon/base/files.h"

extern char** environ;

namespace crd {
namespace {

// Sources are moved above every target number first, so that no dup2 overwrites a later source.
constexpr int kAboveTargets = 64;

std::vector<char*> CleanEnvironment() {
  static constexpr std::array<std::string_view, 7> kOrders = {
      "NOTIFY_SOCKET=", "LISTEN_PID=",    "LISTEN_FDS=",      "LISTEN_FDNAMES=",
      "WATCHDOG_PID=",  "WATCHDOG_USEC=", "CRIU_CONFIG_FILE="};
  std::vector<char*> kept;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    bool order = false;
    for (const std::string_view name : kOrders) {
      order = order || std::string_view(*entry).substr(0, name.size()) == name;
    }
    if (!order) kept.push_back(*entry);
  }
  kept.push_back(nullptr);
  return kept;
}

std::vector<pid_t> ReadChildPids() {
  std::vector<pid_t> pids;
  auto tasks = OpenDirectory("/proc/self/task");
  if (!tasks.ok()) return pids;
  auto threads = ListDirectory(tasks->ref());
  if (!threads.ok()) return pids;
  for (const std::string& thread : *threads) {
    const auto list = ReadFile(fmt::format("/proc/self/task/{}/children", thread));
    if (!list.ok()) continue;
    const char* at = list->data();
    const char* const end = at + list->size();
    pid_t pid = 0;
    while (at < end) {
      const auto [next, error] = std::from_chars(at, end, pid);
      if (error == std::errc()) pids.push_back(pid);
      at = error == std::errc() ? next : at + 1;
    }
  }
  return pids;
}

}  // namespace

Child::Child(Child&& other) noexcept
    : children_(std::exchange(other.children_, nullptr)), process_(std::move(other.process_)) {}

Child::~Child() {
  if (children_ == nullptr) return;
  Kill();
  static_cast<void>(Wait(kNoDeadline));
}

void Child::Kill() { static_cast<void>(process_.Signal(SIGKILL)); }

Result<ExitStatus> Child::Wait(Deadline deadline) {
  if (!process_.WaitExit(deadline)) {
    return Error{.code = Code::kDeadlineExceeded,
                 .message = fmt::format("process {} did not end in time", pid())};
  }
  const ExitStatus status = process_.TakeExitStatus(SteadyClock::now());
  std::exchange(children_, nullptr)->Disown(pid());
  return status;
}

Result<Child> Children::Launch(const LaunchSpec& spec) {
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  Cleanup free_actions([&] { ::posix_spawn_file_actions_destroy(&actions); });
  std::vector<UniqueFd> sources;
  for (const auto& [source, target] : spec.descriptors) {
    UniqueFd above(::fcntl(source.get(), F_DUPFD_CLOEXEC, kAboveTargets));
    if (!above.valid())
      return Error::Errno("duplicate descriptor {} for '{}'", source.get(), spec.argv[0]);
    ::posix_spawn_file_actions_adddup2(&actions, above.get(), target);
    sources.push_back(std::move(above));
  }

  posix_spawnattr_t attributes;
  ::posix_spawnattr_init(&attributes);
  Cleanup free_attributes([&] { ::posix_spawnattr_destroy(&attributes); });
  sigset_t none;
  sigset_t all;
  ::sigemptyset(&none);
  ::sigfillset(&all);
  ::posix_spawnattr_setsigmask(&attributes, &none);
  ::posix_spawnattr_setsigdefault(&attributes, &all);
  const int session = spec.new_session ? POSIX_SPAWN_SETSID : 0;
  ::posix_spawnattr_setflags(
      &attributes, static_cast<short>(POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | session));

  std::vector<char*> argv;
  for (const std::string& argument : spec.argv) argv.push_back(const_cast<char*>(argument.c_str()));
  argv.push_back(nullptr);
  std::vector<char*> environment = CleanEnvironment();

  // Held over spawn and registration: a child that ends at once must not be taken for a stranger.
  const std::lock_guard lock(mutex_);
  pid_t pid = 0;
  const int failed =
      ::posix_spawn(&pid, argv[0], &actions, &attributes, argv.data(), environment.data());
  if (failed != 0) return Error::FromErrno(failed, fmt::format("start '{}'", spec.argv[0]));
  auto process = PidFd::Open(pid);
  if (!process.ok()) {
    ::kill(pid, SIGKILL);
    ::waitpid(pid, nullptr, 0);
    return std::move(process).error();
  }
  owned_.insert(pid);
  Child child(*this, std::move(*process));
  // posix_spawn(3) has no attribute for it. One that has ended already needs no limit.
  if (descriptors_ && ::prlimit(pid, RLIMIT_NOFILE, &*descriptors_, nullptr) != 0 &&
      errno != ESRCH) {
    return Error::Errno("limit the descriptors of '{}'", spec.argv[0]);
  }
  return child;
}

void Children::Adopt(pid_t pid) {
  const std::lock_guard lock(mutex_);
  owned_.insert(pid);
}

void Children::Disown(pid_t pid) {
  const std::lock_guard lock(mutex_);
  owned_.erase(pid);
}

int Children::ReapStrangers() {
  const std::lock_guard lock(mutex_);
  int reaped = 0;
  for (const pid_t pid : ReadChildPids()) {
    if (owned_.contains(pid)) continue;
    siginfo_t info{};
    if (::waitid(P_PID, static_cast<id_t>(pid), &info, WEXITED | WNOHANG) == 0 &&
        info.si_pid == pid) {
      ++reaped;
    }
  }
  return reaped;
}

}  // namespace crd
