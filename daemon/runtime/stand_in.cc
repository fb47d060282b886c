#include "daemon/runtime/stand_in.h"

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <string_view>
#include <utility>

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "daemon/base/log.h"
#include "daemon/base/pid_fd.h"
#include "daemon/runtime/find.h"
#include "daemon/runtime/refusals.h"

namespace crd::runtime {
namespace {

constexpr std::string_view kUsualPath =
    "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
constexpr auto kDeletePatience = std::chrono::seconds(20);
constexpr auto kEndPatience = std::chrono::seconds(10);
constexpr std::size_t kWords = 2048;

// Along crd's own PATH: a runtime that somebody built for himself is called by its name, too.
Result<std::string> FindProgram(Kind kind) {
  const char* own = std::getenv("PATH");  // NOLINT(concurrency-mt-unsafe): crd never changes it
  std::string_view left = own == nullptr ? kUsualPath : own;
  while (!left.empty()) {
    const std::string_view place = left.substr(0, left.find(':'));
    left.remove_prefix(std::min(left.size(), place.size() + 1));
    std::string path = fmt::format("{}/{}", place, KindName(kind));
    if (place.starts_with('/') && ::access(path.c_str(), X_OK) == 0) return path;
  }
  return refusal::RuntimeFailed(kind, "find it", "it is not installed");
}

std::string DefaultRoot(Kind kind) { return kind == Kind::kRunc ? "/run/runc" : "/run/crun"; }

// The end of what a program has written.
std::string LastWords(FdRef file) {
  std::string words(kWords, '\0');
  const off_t size = ::lseek(file.get(), 0, SEEK_END);
  const off_t from = size > static_cast<off_t>(kWords) ? size - static_cast<off_t>(kWords) : 0;
  const ssize_t got = ::pread(file.get(), words.data(), words.size(), from);
  words.resize(got > 0 ? static_cast<std::size_t>(got) : 0);
  while (!words.empty() && words.back() == '\n') words.pop_back();
  return words;
}

Result<void> RunRuntime(const StandInRequest& request, std::vector<std::string> words,
                        Children& children, Deadline deadline) {
  const std::string what = words.front();
  std::vector<std::string> argv = {TRY(FindProgram(request.kind))};
  if (!request.root.empty()) argv.insert(argv.end(), {"--root", request.root});
  argv.insert(argv.end(), words.begin(), words.end());
  const UniqueFd nothing(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  const UniqueFd said(::memfd_create("runtime", MFD_CLOEXEC));
  if (!nothing.valid() || !said.valid()) return Error::Errno("open a runtime's streams");
  Child program =
      TRY(children.Launch({.argv = std::move(argv),
                           .descriptors = {{nothing.ref(), 0}, {said.ref(), 1}, {said.ref(), 2}},
                           .new_session = true}));
  const ExitStatus status = TRY(program.Wait(deadline));
  if (status == ExitStatus{.code = 0}) return {};
  return refusal::RuntimeFailed(request.kind, what, LastWords(said.ref()));
}

// Looks at what waits to be started as if it ran: all but its program is there.
Result<Description> Look(Container container) {
  container.status = Status::kRunning;
  Description description = TRY(runtime::Describe(container, {container.state.pid}));
  for (const ContainerObstacle& obstacle : description.obstacles) return obstacle.error;
  for (SavedMount& mount : description.saved.mounts) {
    // Of those in the images CRIU itself knows what was in them.
    if (mount.tmpfs) mount.key.clear();
    mount.tmpfs.reset();
  }
  return description;
}

}  // namespace

Result<StandIn> StandIn::Make(const StandInRequest& request, Children& children,
                              Deadline deadline) {
  TRY(RunRuntime(request, {"create", "--bundle", request.bundle, request.id}, children, deadline));
  StandIn made(request, children);
  const std::string root = request.root.empty() ? DefaultRoot(request.kind) : request.root;
  auto found = TRY(Find({root}, {.key = request.id, .kind = request.kind}));
  if (!found || found->state.id != request.id) {
    return refusal::RuntimeFailed(request.kind, "create", "there is no state of it in " + root);
  }
  const pid_t pid = found->state.pid;
  const std::string fifo = found->state.path.substr(0, found->state.path.rfind('/')) + "/exec.fifo";
  auto process = PidFd::Open(pid);
  auto description = Look(*std::move(found));
  if (process.ok()) {
    static_cast<void>(process->Signal(SIGKILL));
    static_cast<void>(process->WaitExit(SteadyClock::now() + kEndPatience));
    children.ReapStrangers();
  }
  // Whose is there is "created" to its runtime, whatever runs.
  if (::unlink(fifo.c_str()) != 0 && errno != ENOENT) return Error::Errno("remove '{}'", fifo);
  Description seen = TRY(std::move(description));
  made.container_ = std::move(seen.saved);
  made.network_path_ = seen.network_path.value_or("");
  return made;
}

StandIn::StandIn(StandIn&& other) noexcept
    : request_(std::move(other.request_)),
      children_(std::exchange(other.children_, nullptr)),
      container_(std::move(other.container_)),
      network_path_(std::move(other.network_path_)) {}

StandIn::~StandIn() {
  if (children_ == nullptr) return;
  const auto deleted = RunRuntime(request_, {"delete", "--force", request_.id}, *children_,
                                  SteadyClock::now() + kDeletePatience);
  if (!deleted.ok()) spdlog::error("{}", deleted.error().message);
}

}  // namespace crd::runtime
