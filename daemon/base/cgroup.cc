#include "daemon/base/cgroup.h"

#include <algorithm>
#include <charconv>
#include <sstream>

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>

#include "daemon/base/files.h"

namespace crd {
namespace {

Result<std::string> ReadAt(FdRef directory, const char* name) {
  return ReadFileAt(directory, name);
}

Result<std::string> FindMount() {
  std::istringstream lines(TRY(ReadFile("/proc/self/mountinfo")));
  for (std::string line; std::getline(lines, line);) {
    const std::size_t tail = line.find(" - cgroup2 ");
    if (tail == std::string::npos) continue;
    std::istringstream fields(line.substr(0, tail));
    std::string id, parent, device, root, mountpoint;
    fields >> id >> parent >> device >> root >> mountpoint;
    return mountpoint;
  }
  return Error{.code = Code::kFailedPrecondition,
               .message = "find the cgroup2 file system: none is mounted",
               .hint = "mount it (systemd does so at boot): mount -t cgroup2 none /sys/fs/cgroup"};
}

}  // namespace

Result<std::string> CgroupOf(pid_t pid) {
  const std::string mount = TRY(FindMount());
  std::istringstream lines(
      TRY(ReadFile(pid == 0 ? "/proc/self/cgroup" : fmt::format("/proc/{}/cgroup", pid))));
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with("0::")) return mount + (line.substr(3) == "/" ? "" : line.substr(3));
  }
  return Error{.code = Code::kNotFound, .message = fmt::format("process {} is in no cgroup2", pid)};
}

Result<Cgroup> Cgroup::Create(const std::string& parent, const std::string& name) {
  std::string path = parent + "/" + name;
  if (::mkdir(path.c_str(), 0755) != 0 && errno != EEXIST)
    return Error::Errno("make cgroup '{}'", path);
  UniqueFd directory = TRY(OpenDirectory(path));
  return Cgroup(std::move(path), std::move(directory));
}

Result<std::vector<pid_t>> Cgroup::Pids() const {
  std::vector<pid_t> pids;
  std::istringstream text(TRY(ReadAt(directory_.ref(), "cgroup.procs")));
  for (pid_t pid = 0; text >> pid;) pids.push_back(pid);
  return pids;
}

Result<bool> Cgroup::IsEmpty() const {
  const std::string events = TRY(ReadAt(directory_.ref(), "cgroup.events"));
  return events.find("populated 0") != std::string::npos;
}

Result<void> Cgroup::Kill() const {
  const UniqueFd fd(::openat(directory_.get(), "cgroup.kill", O_WRONLY | O_CLOEXEC));
  if (!fd.valid()) return Error::Errno("open cgroup.kill of '{}'", path_);
  if (::write(fd.get(), "1", 1) != 1) return Error::Errno("kill everything in cgroup '{}'", path_);
  return {};
}

Result<void> Cgroup::WaitEmpty(Deadline deadline) const {
  const UniqueFd events(::openat(directory_.get(), "cgroup.events", O_RDONLY | O_CLOEXEC));
  if (!events.valid()) return Error::Errno("open cgroup.events of '{}'", path_);
  while (!TRY(IsEmpty())) {
    if (SteadyClock::now() >= deadline) {
      const std::vector<pid_t> left = TRY(Pids());
      return Error{.code = Code::kDeadlineExceeded,
                   .message = fmt::format("cgroup '{}' is not empty: process {} does not end",
                                          path_, left.empty() ? 0 : left.front())};
    }
    // The kernel reports a change of cgroup.events as POLLPRI, at most every 10 ms; a change
    // between IsEmpty() and here is caught by the short limit.
    pollfd change{.fd = events.get(), .events = POLLPRI, .revents = 0};
    ::poll(&change, 1, std::min(5, PollTimeout(deadline) < 0 ? 5 : PollTimeout(deadline)));
  }
  return {};
}

Result<void> Cgroup::Remove() const {
  if (::rmdir(path_.c_str()) != 0 && errno != ENOENT)
    return Error::Errno("remove cgroup '{}'", path_);
  return {};
}

Result<void> Cgroup::Destroy(Deadline deadline) const {
  if (!TRY(IsEmpty())) {
    TRY(Kill());
    TRY(WaitEmpty(deadline));
  }
  return Remove();
}

}  // namespace crd
