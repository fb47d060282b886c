#include "daemon/base/spawn.h"

#include <array>
#include <cerrno>
#include <csignal>
#include <string_view>

#include <fcntl.h>
#include <linux/sched.h>
#include <poll.h>
#include <sched.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

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

// What a child tells before anything else; whatever follows is the errno that it failed with,
// negative where that was to enter a cgroup.
constexpr int kAlive = 0;

// What the child needs, allocated before it exists: another thread may hold the allocator's lock
// for ever in its copy of our memory.
struct Prepared {
  std::vector<char*> argv;
  std::vector<char*> environment;
  std::vector<std::pair<UniqueFd, int>> descriptors;
  const rlimit* limit = nullptr;
  bool new_session = false;
  std::vector<FdRef> namespaces;
  UniqueFd complaint;           // takes what the child tells
  std::vector<UniqueFd> enter;  // where it writes itself to move into cgroups
};

Result<UniqueFd> MoveAboveTargets(FdRef source, const std::string& program) {
  UniqueFd above(::fcntl(source.get(), F_DUPFD_CLOEXEC, kAboveTargets));
  if (!above.valid())
    return Error::Errno("duplicate descriptor {} for '{}'", source.get(), program);
  return above;
}

Result<UniqueFd> OpenToEnter(FdRef cgroup, const char* file, const std::string& program) {
  const UniqueFd opened(::openat(cgroup.get(), file, O_WRONLY | O_CLOEXEC));
  if (!opened.valid()) return Error::Errno("open {} to start '{}' in a cgroup", file, program);
  return MoveAboveTargets(opened.ref(), program);
}

Result<Prepared> Prepare(const LaunchSpec& spec, FdRef complaint) {
  Prepared prepared{.environment = CleanEnvironment(),
                    .new_session = spec.new_session,
                    .namespaces = spec.namespaces};
  prepared.complaint = TRY(MoveAboveTargets(complaint, spec.argv[0]));
  for (const std::string& argument : spec.argv)
    prepared.argv.push_back(const_cast<char*>(argument.c_str()));
  prepared.argv.push_back(nullptr);
  for (const auto& [source, target] : spec.descriptors) {
    prepared.descriptors.emplace_back(TRY(MoveAboveTargets(source, spec.argv[0])), target);
  }
  for (const FdRef cgroup : spec.cgroups_v1) {
    prepared.enter.push_back(TRY(OpenToEnter(cgroup, "tasks", spec.argv[0])));
  }
  return prepared;
}

// CLONE_CLEAR_SIGHAND leaves ignored signals ignored, and execve(2) passes them on.
void StopIgnoring() {
  struct sigaction action {};
  action.sa_handler = SIG_DFL;
  for (int signal = 1; signal < NSIG; ++signal) ::sigaction(signal, &action, nullptr);
}

bool EnterCgroups(const Prepared& prepared) {
  for (const UniqueFd& file : prepared.enter) {
    if (::write(file.get(), "0", 1) != 1) return false;
  }
  return true;
}

bool Become(const Prepared& prepared) {
  StopIgnoring();
  sigset_t none;
  ::sigemptyset(&none);
  if (::pthread_sigmask(SIG_SETMASK, &none, nullptr) != 0) return false;
  if (prepared.new_session && ::setsid() < 0) return false;
  // Before a target number takes its place.
  for (const FdRef entered : prepared.namespaces) {
    if (::setns(entered.get(), 0) != 0) return false;
  }
  for (const auto& [source, target] : prepared.descriptors) {
    if (::dup2(source.get(), target) < 0) return false;
  }
  if (prepared.limit != nullptr && ::setrlimit(RLIMIT_NOFILE, prepared.limit) != 0) return false;
  ::execve(prepared.argv[0], prepared.argv.data(), prepared.environment.data());
  return false;
}

void Tell(const Prepared& prepared, int number) {
  static_cast<void>(!::write(prepared.complaint.get(), &number, sizeof number));
}

[[noreturn]] void RunChild(const Prepared& prepared) {
  Tell(prepared, kAlive);
  if (!EnterCgroups(prepared)) {
    Tell(prepared, -errno);
  } else if (!Become(prepared)) {
    Tell(prepared, errno);
  }
  ::_exit(127);
}

Result<pid_t> Clone(const Prepared& prepared, FdRef cgroup) {
  // Not CLONE_VM, which needs a stack of its own: to copy our page tables costs 0.2 ms.
  clone_args arguments{};
  arguments.flags = CLONE_VFORK | CLONE_CLEAR_SIGHAND;
  arguments.exit_signal = SIGCHLD;
  if (cgroup.valid()) {
    arguments.flags |= CLONE_INTO_CGROUP;
    arguments.cgroup = static_cast<__u64>(cgroup.get());
  }
  const long pid = ::syscall(SYS_clone3, &arguments, sizeof arguments);
  if (pid < 0) return Error::Errno("make a process for '{}'", prepared.argv[0]);
  if (pid == 0) RunChild(prepared);
  return static_cast<pid_t>(pid);
}

// Whether the child has run at all; it has ended or become the program by now.
bool HasTold(FdRef complaint) {
  pollfd told{.fd = complaint.get(), .events = POLLIN, .revents = 0};
  return ::poll(&told, 1, 0) == 1 && (told.revents & POLLIN) != 0;
}

}  // namespace

Result<pid_t> Spawn(const LaunchSpec& spec, const std::optional<rlimit>& descriptor_limit) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return Error::Errno("make a pipe for '{}'", spec.argv[0]);
  const UniqueFd complaint(ends[0]);
  UniqueFd theirs(ends[1]);
  Prepared prepared = TRY(Prepare(spec, theirs.ref()));
  theirs.reset();
  if (descriptor_limit) prepared.limit = &*descriptor_limit;

  pid_t pid = TRY(Clone(prepared, spec.cgroup));
  // Linux 6.18 kills whoever is born in a cgroup that was ever killed whole (cgroup.kill) by a
  // parent in another that was not: it compares the kills of both. To move there is allowed.
  if (spec.cgroup.valid() && !HasTold(complaint.ref())) {
    ::waitpid(pid, nullptr, 0);
    prepared.enter.push_back(TRY(OpenToEnter(spec.cgroup, "cgroup.procs", spec.argv[0])));
    pid = TRY(Clone(prepared, FdRef(-1)));
  }
  prepared.complaint.reset();
  int reason = kAlive;
  while (reason == kAlive && ::read(complaint.get(), &reason, sizeof reason) == sizeof reason) {
  }
  if (reason != kAlive) {
    ::waitpid(pid, nullptr, 0);
    if (reason < 0) {
      return Error::FromErrno(-reason, fmt::format("move '{}' into its cgroups", spec.argv[0]));
    }
    return Error::FromErrno(reason, fmt::format("start '{}'", spec.argv[0]));
  }
  return pid;
}

}  // namespace crd
