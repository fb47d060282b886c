#include "daemon/core/stdio.h"

#include <algorithm>

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "daemon/base/pid_fd.h"
#include "daemon/core/caller_access.h"
#include "daemon/core/errors.h"
#include "daemon/criu/images.h"

namespace crd {
namespace {

Result<UniqueFd> OpenForAppending(const std::string& path) {
  UniqueFd log(::open(path.c_str(),
                      O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY,
                      0600));
  if (!log.valid()) return Error::Errno("open it");
  return log;
}

Result<UniqueFd> OpenNull() {
  UniqueFd null(::open("/dev/null", O_RDWR | O_CLOEXEC));
  if (!null.valid()) return Error::Errno("open /dev/null");
  return null;
}

// What a container had open outside of itself; regular files and devices only, and none is made.
Result<UniqueFd> OpenAgain(const StdioLink& link) {
  const int access = !link.writable ? O_RDONLY : (link.readable ? O_RDWR : O_WRONLY);
  UniqueFd file(::open(link.path.c_str(), access | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY));
  if (!file.valid()) return errors::OutsideFileGone(link.path, Error::Errno("open it"));
  struct stat status {};
  if (::fstat(file.get(), &status) != 0 || (!S_ISREG(status.st_mode) && !S_ISCHR(status.st_mode))) {
    return errors::OutsideFileGone(link.path, Error{.code = Code::kFailedPrecondition,
                                                    .message = "it is not a file any more"});
  }
  return file;
}

// Whether root in a user namespace may open for reading and writing what somebody else opened.
bool RootMayOpen(const runtime::IdMaps& users, const struct stat& status) {
  if (users.HasUser(status.st_uid) && users.HasGroup(status.st_gid)) return true;
  constexpr mode_t kOthers = S_IROTH | S_IWOTH;
  constexpr mode_t kGroup = S_IRGRP | S_IWGRP;
  const bool in_group = status.st_gid == users.RootGroup();
  return (status.st_mode & (in_group ? kGroup : kOthers)) == (in_group ? kGroup : kOthers);
}

// As CRIU would open it: of several that the tree had of one file, with the access of all.
Result<UniqueFd> OpenLike(FdRef original, const std::string& path, const std::string& key,
                          const std::vector<criu::ImageOutsideFile>& files, bool append) {
  constexpr int kOnlyOpening = O_CREAT | O_EXCL | O_TRUNC | O_NOFOLLOW | O_DIRECTORY | O_ACCMODE;
  int access = -1;
  int flags = append ? O_APPEND : 0;
  off_t position = 0;
  struct stat status {};
  if (::fstat(original.get(), &status) != 0) return Error::Errno("stat '{}'", path);
  for (const criu::ImageOutsideFile& file : files) {
    if (file.key != key) continue;
    if (!append && file.size && S_ISREG(status.st_mode) && *file.size != status.st_size) {
      return errors::OutsideFileGone(
          path, Error{.code = Code::kFailedPrecondition,
                      .message = fmt::format("it has another size than at the checkpoint, {} "
                                             "instead of {} bytes",
                                             status.st_size, *file.size)});
    }
    const int wanted = file.flags & O_ACCMODE;
    access = access < 0 || access == wanted ? wanted : O_RDWR;
    flags |= file.flags & ~kOnlyOpening;
    position = std::max(position, file.position);
  }
  const std::string link = fmt::format("/proc/self/fd/{}", original.get());
  UniqueFd opened(::open(link.c_str(), std::max(access, 0) | flags | O_CLOEXEC | O_NOCTTY));
  if (!opened.valid()) return Error::Errno("open '{}' again", path);
  if (!append && ::lseek(opened.get(), position, SEEK_SET) < 0 && errno != ESPIPE) {
    return Error::Errno("set the position in '{}'", path);
  }
  return opened;
}

// The caller's descriptor that stands where the link stood, else the first one of its direction.
FdRef Choose(const std::vector<UniqueFd>& descriptors, const StdioLink& link) {
  const int wanted = link.fd >= 0 && link.fd <= 2 ? link.fd : (link.writable ? 1 : 0);
  return descriptors[static_cast<std::size_t>(wanted)].ref();
}

// The first of the descriptors that is one.
FdRef FindTerminal(const std::vector<UniqueFd>& descriptors) {
  for (const UniqueFd& descriptor : descriptors) {
    if (::isatty(descriptor.get()) == 1) return descriptor.ref();
  }
  return FdRef(-1);
}

}  // namespace

Result<UniqueFd> OpenLog(const std::string& path, const Credentials& user) {
  auto opened = OpenAs(user, [&] { return OpenForAppending(path); });
  if (!opened.ok()) return errors::LogUnusable(path, opened.error());
  UniqueFd log = std::move(*opened);
  struct stat status {};
  if (::fstat(log.get(), &status) != 0) return errors::LogUnusable(path, Error::Errno("stat it"));
  if (!S_ISREG(status.st_mode)) {
    return errors::LogUnusable(
        path, Error{.code = Code::kFailedPrecondition, .message = "it is not a regular file"});
  }
  return log;
}

Result<RestoreStdio> RestoreStdio::Open(const CheckpointId& checkpoint,
                                        const std::vector<StdioLink>& links,
                                        const std::variant<StdioToLog, StdioFromCaller>& wanted,
                                        const std::string& own_log) {
  RestoreStdio stdio;
  const auto* to_log = std::get_if<StdioToLog>(&wanted);
  const bool named = to_log != nullptr && !to_log->path.empty();
  const std::string& log_path = named ? to_log->path : own_log;
  if (const auto* caller = std::get_if<StdioFromCaller>(&wanted))
    stdio.from_caller_ = caller->descriptors;
  FdRef log(-1);
  FdRef null(-1);
  for (const StdioLink& link : links) {
    if (link.kind == StdioLink::Kind::kTerminal) {
      const bool is_there =
          stdio.from_caller_ != nullptr && FindTerminal(*stdio.from_caller_).valid();
      if (!is_there) return errors::TerminalGone(checkpoint);
      stdio.terminal_ = TRY(OpenTerminal(*stdio.from_caller_));
      stdio.links_.push_back({.key = link.key, .target = stdio.terminal_->fd.ref()});
      continue;
    }
    Link place{.key = link.key,
               .fd = link.fd,
               .pid = link.pid,
               .file = link.kind == StdioLink::Kind::kFile,
               .path = link.path};
    if (stdio.from_caller_ != nullptr) {
      place.target = Choose(*stdio.from_caller_, link);
    } else if (link.kind == StdioLink::Kind::kFile && !(named && link.writable)) {
      stdio.opened_.push_back(TRY(OpenAgain(link)));
      place.target = stdio.opened_.back().ref();
    } else if (link.writable) {
      if (!log.valid()) {
        stdio.opened_.push_back(TRY(OpenLog(log_path, named ? to_log->caller : Credentials{})));
        stdio.log_path_ = log_path;
        log = stdio.opened_.back().ref();
      }
      place.target = log;
      place.to_log = true;
    } else {
      if (!null.valid()) {
        stdio.opened_.push_back(TRY(OpenNull()));
        null = stdio.opened_.back().ref();
      }
      place.target = null;
    }
    stdio.links_.push_back(std::move(place));
  }
  return stdio;
}

Result<void> RestoreStdio::HandOver(const runtime::IdMaps& users, FdRef images) {
  const auto files = TRY(criu::ReadOutsideFiles(images));
  for (Link& link : links_) {
    if (!link.file) continue;
    struct stat status {};
    if (::fstat(link.target.get(), &status) != 0) return Error::Errno("stat '{}'", link.key);
    link.as_it_is = !RootMayOpen(users, status);
    if (!link.as_it_is || from_caller_ != nullptr) continue;
    opened_.push_back(TRY(OpenLike(link.target, link.path, link.key, files, link.to_log)));
    link.target = opened_.back().ref();
  }
  return {};
}

void RestoreStdio::ApplyTo(criu::RestoreRequest& request) const {
  for (const Link& link : links_) {
    // CRIU looks for a descriptor under a file's path, which is its name less the first character,
    // before it looks for an outside file's key, and takes one that it finds there as it is (4.2,
    // files-reg.c: open_path, collect_one_regfile).
    request.inherit.emplace_back(link.as_it_is ? link.key.substr(1) : link.key, link.target);
  }
}

Result<RestoreStdio::Terminal> RestoreStdio::OpenTerminal(
    const std::vector<UniqueFd>& descriptors) {
  const std::string path = fmt::format("/proc/self/fd/{}", FindTerminal(descriptors).get());
  Terminal terminal;
  terminal.fd.reset(::open(path.c_str(), O_RDWR | O_NOCTTY | O_CLOEXEC));
  if (!terminal.fd.valid()) return Error::Errno("open the caller's terminal");
  struct stat status {};
  if (::fstat(terminal.fd.get(), &status) != 0) return Error::Errno("stat the caller's terminal");
  terminal.owner = status.st_uid;
  terminal.group = status.st_gid;
  if (::ioctl(terminal.fd.get(), TIOCGWINSZ, &terminal.size) != 0)
    return Error::Errno("ask the caller's terminal for its size");
  return terminal;
}

Result<void> RestoreStdio::KeepTerminal() const {
  if (!terminal_.has_value()) return {};
  const int fd = terminal_->fd.get();
  if (::ioctl(fd, TIOCSWINSZ, &terminal_->size) != 0 ||
      ::fchown(fd, terminal_->owner, terminal_->group) != 0) {
    return Error::Errno("give the caller's terminal its size and owner back");
  }
  return {};
}

Result<void> RestoreStdio::SetAppend(const std::function<pid_t(pid_t)>& host_pid) const {
  for (const Link& link : links_) {
    if (!link.to_log) continue;
    const PidFd process = TRY(PidFd::Open(host_pid(link.pid)));
    const UniqueFd restored(
        static_cast<int>(::syscall(SYS_pidfd_getfd, process.fd().get(), link.fd, 0)));
    if (!restored.valid())
      return Error::Errno("get descriptor {} of process {}", link.fd, link.pid);
    const int flags = ::fcntl(restored.get(), F_GETFL);
    if (flags < 0 || ::fcntl(restored.get(), F_SETFL, flags | O_APPEND) != 0) {
      return Error::Errno("make descriptor {} of process {} append", link.fd, link.pid);
    }
  }
  return {};
}

}  // namespace crd
