#include "tests/unit/client/crctl_run.h"

#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <thread>
#include <variant>

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "client/command_line.h"
#include "client/exit_codes.h"

namespace crd::client {
namespace {

constexpr std::chrono::seconds kPatience{20};

UniqueFd MemoryFile() { return UniqueFd(::memfd_create("crctl", MFD_CLOEXEC)); }

std::string Content(FdRef file) {
  std::string text;
  std::array<char, 4096> part{};
  ssize_t got = 0;
  while ((got = ::pread(file.get(), part.data(), part.size(), static_cast<off_t>(text.size()))) >
         0) {
    text.append(part.data(), static_cast<std::size_t>(got));
  }
  return text;
}

struct Pipe {
  Pipe() {
    std::array<int, 2> ends{};
    if (::pipe2(ends.data(), O_CLOEXEC) != 0) std::abort();
    read.reset(ends[0]);
    write.reset(ends[1]);
  }
  UniqueFd read;
  UniqueFd write;
};

}  // namespace

Outcome Crctl(const std::vector<std::string>& arguments) {
  const auto parsed = ParseCommandLine(arguments);
  if (const auto* notice = std::get_if<Notice>(&parsed)) {
    return {.status = notice->status, .out = notice->out, .err = notice->err};
  }
  const auto& invocation = std::get<Invocation>(parsed);
  const UniqueFd out = MemoryFile();
  const UniqueFd err = MemoryFile();
  Session session(invocation.settings, out.ref(), err.ref());
  const int status = Execute(session, invocation.command);
  return {.status = status, .out = Content(out.ref()), .err = Content(err.ref())};
}

CrctlProcess::CrctlProcess(const Options& options) {
  Pipe out;
  Pipe err;
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  ::posix_spawn_file_actions_adddup2(
      &actions, options.out.valid() ? options.out.get() : out.write.get(), STDOUT_FILENO);
  ::posix_spawn_file_actions_adddup2(
      &actions, options.err.valid() ? options.err.get() : err.write.get(), STDERR_FILENO);
  std::vector<std::string> arguments = options.arguments;
  arguments.insert(arguments.begin(), CRCTL_PATH);
  std::vector<char*> argv;
  for (std::string& argument : arguments) argv.push_back(argument.data());
  argv.push_back(nullptr);
  if (::posix_spawn(&pid_, CRCTL_PATH, &actions, nullptr, argv.data(), environ) != 0) pid_ = -1;
  ::posix_spawn_file_actions_destroy(&actions);
  out_ = std::move(out.read);
  err_ = std::move(err.read);
}

CrctlProcess::~CrctlProcess() {
  if (pid_ <= 0) return;
  ::kill(pid_, SIGKILL);
  ::waitpid(pid_, nullptr, 0);
}

void CrctlProcess::Signal(int signal) const { ::kill(pid_, signal); }

Outcome CrctlProcess::Finish() {
  Outcome outcome;
  outcome.out = ReadAll(out_.ref());
  outcome.err = ReadAll(err_.ref());
  int status = 0;
  if (!Eventually([&] { return ::waitpid(pid_, &status, WNOHANG) == pid_; })) return outcome;
  pid_ = -1;
  outcome.status = WIFEXITED(status) ? WEXITSTATUS(status) : kSignalBase + WTERMSIG(status);
  return outcome;
}

bool Eventually(const std::function<bool()>& condition) {
  const Deadline end = SteadyClock::now() + kPatience;
  while (!condition()) {
    if (SteadyClock::now() > end) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  return true;
}

std::string ReadUntil(FdRef fd, const std::function<bool(const std::string&)>& enough) {
  const Deadline end = SteadyClock::now() + kPatience;
  std::string text;
  std::array<char, 4096> part{};
  while (fd.valid() && !enough(text)) {
    pollfd ready{.fd = fd.get(), .events = POLLIN, .revents = 0};
    if (::poll(&ready, 1, PollTimeout(end)) <= 0) break;
    const ssize_t got = ::read(fd.get(), part.data(), part.size());
    // A pty gives EIO when nobody has its other side open any more.
    if (got <= 0) break;
    text.append(part.data(), static_cast<std::size_t>(got));
  }
  return text;
}

std::string ReadAll(FdRef fd) {
  return ReadUntil(fd, [](const std::string&) { return false; });
}

}  // namespace crd::client
