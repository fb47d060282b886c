#include "daemon/base/files.h"

#include <algorithm>
#include <memory>

#include <dirent.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>

#include "daemon/base/cleanup.h"
#include "daemon/base/ids.h"

namespace crd {
namespace {

UniqueFd OpenBeneath(FdRef directory, const std::string& name, int flags) {
  open_how how{};
  how.flags = static_cast<__u64>(flags | O_CLOEXEC | O_NOFOLLOW);
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS;
  return UniqueFd(
      static_cast<int>(::syscall(SYS_openat2, directory.get(), name.c_str(), &how, sizeof how)));
}

Result<std::string> ReadAll(FdRef fd, const std::string& what) {
  std::string content;
  char buffer[16384];
  for (;;) {
    const ssize_t got = ::read(fd.get(), buffer, sizeof buffer);
    if (got == 0) return content;
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return Error::Errno("read {}", what);
    if (content.size() + static_cast<std::size_t>(got) > kSmallFileLimit) {
      return Error{.code = Code::kResourceExhausted,
                   .message = fmt::format("read {}: larger than {} bytes", what, kSmallFileLimit)};
    }
    content.append(buffer, static_cast<std::size_t>(got));
  }
}

Result<void> WriteAll(FdRef fd, std::string_view content, const std::string& what) {
  while (!content.empty()) {
    const ssize_t put = ::write(fd.get(), content.data(), content.size());
    if (put < 0 && errno == EINTR) continue;
    if (put < 0) return Error::Errno("write {}", what);
    content.remove_prefix(static_cast<std::size_t>(put));
  }
  return {};
}

}  // namespace

Result<UniqueFd> OpenDirectory(const std::string& path) {
  UniqueFd fd(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd.valid()) return Error::Errno("open directory '{}'", path);
  return fd;
}

Result<UniqueFd> OpenDirectoryAt(FdRef directory, const std::string& name) {
  UniqueFd fd = OpenBeneath(directory, name, O_RDONLY | O_DIRECTORY);
  if (!fd.valid()) return Error::Errno("open directory '{}'", name);
  return fd;
}

Result<UniqueFd> OpenRegularAt(FdRef directory, const std::string& name) {
  // O_NONBLOCK: a FIFO in the place of a file must not hang us before fstat can refuse it.
  UniqueFd fd = OpenBeneath(directory, name, O_RDONLY | O_NONBLOCK);
  if (!fd.valid()) return Error::Errno("open file '{}'", name);
  struct stat status {};
  if (::fstat(fd.get(), &status) != 0) return Error::Errno("stat file '{}'", name);
  if (!S_ISREG(status.st_mode)) {
    return Error{.code = Code::kFailedPrecondition,
                 .message = fmt::format("open file '{}': not a regular file", name)};
  }
  return fd;
}

Result<void> MakeDirectoryAt(FdRef directory, const std::string& name) {
  if (::mkdirat(directory.get(), name.c_str(), 0700) != 0 && errno != EEXIST) {
    return Error::Errno("make directory '{}'", name);
  }
  return {};
}

Result<void> MakeDirectories(const std::string& path) {
  for (std::size_t at = path.find('/', 1);; at = path.find('/', at + 1)) {
    const std::string part = path.substr(0, at);
    if (::mkdir(part.c_str(), at == std::string::npos ? 0700 : 0755) != 0 && errno != EEXIST) {
      return Error::Errno("make directory '{}'", part);
    }
    if (at == std::string::npos) return {};
  }
}

Result<std::string> ReadFile(const std::string& path) {
  UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd.valid()) return Error::Errno("open '{}'", path);
  return ReadAll(fd.ref(), path);
}

Result<std::string> ReadFileAt(FdRef directory, const std::string& name) {
  const UniqueFd fd = TRY(OpenRegularAt(directory, name));
  return ReadAll(fd.ref(), name);
}

Result<UniqueFd> CreateFileAt(FdRef directory, const std::string& name, std::string_view content) {
  UniqueFd fd(::openat(directory.get(), name.c_str(),
                       O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!fd.valid()) return Error::Errno("create '{}'", name);
  Cleanup remove([&] { ::unlinkat(directory.get(), name.c_str(), 0); });
  TRY(WriteAll(fd.ref(), content, name));
  remove.Cancel();
  return fd;
}

Result<std::string> ReadHeadAt(FdRef directory, const std::string& name, std::size_t limit) {
  const UniqueFd fd = TRY(OpenRegularAt(directory, name));
  std::string head(limit, '\0');
  const ssize_t got = ::pread(fd.get(), head.data(), head.size(), 0);
  if (got < 0) return Error::Errno("read {}", name);
  head.resize(static_cast<std::size_t>(got));
  return head;
}

Result<void> WriteFileAt(FdRef directory, const std::string& name, std::string_view content) {
  const std::string temporary = fmt::format(".{}.{}", name, RandomHex16());
  const UniqueFd fd = TRY(CreateFileAt(directory, temporary, content));
  Cleanup remove([&] { ::unlinkat(directory.get(), temporary.c_str(), 0); });
  TRY(Sync(fd.ref(), temporary));
  if (::renameat(directory.get(), temporary.c_str(), directory.get(), name.c_str()) != 0) {
    return Error::Errno("rename '{}' to '{}'", temporary, name);
  }
  remove.Cancel();
  return Sync(directory, "its directory");
}

Result<void> Sync(FdRef fd, std::string_view what) {
  if (::fsync(fd.get()) != 0) return Error::Errno("sync {}", what);
  return {};
}

Result<void> RemoveTreeAt(FdRef directory, const std::string& name) {
  if (::unlinkat(directory.get(), name.c_str(), 0) == 0 || errno == ENOENT) return {};
  if (errno != EISDIR && errno != EPERM) return Error::Errno("remove '{}'", name);
  {
    open_how how{};
    how.flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW;
    how.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_XDEV;
    const UniqueFd fd(
        static_cast<int>(::syscall(SYS_openat2, directory.get(), name.c_str(), &how, sizeof how)));
    if (!fd.valid()) return Error::Errno("open directory '{}' to remove it", name);
    for (const std::string& entry : TRY(ListDirectory(fd.ref()))) {
      TRY(RemoveTreeAt(fd.ref(), entry).Annotate(name));
    }
  }
  if (::unlinkat(directory.get(), name.c_str(), AT_REMOVEDIR) != 0 && errno != ENOENT) {
    return Error::Errno("remove directory '{}'", name);
  }
  return {};
}

Result<std::vector<std::string>> ListDirectory(FdRef directory) {
  // A fresh open file description: fdopendir() takes the descriptor over and its position moves.
  UniqueFd fd(::openat(directory.get(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd.valid()) return Error::Errno("open directory to list it");
  const std::unique_ptr<DIR, int (*)(DIR*)> stream(::fdopendir(fd.get()), &::closedir);
  if (stream == nullptr) return Error::Errno("list directory");
  static_cast<void>(fd.release());
  std::vector<std::string> names;
  errno = 0;
  while (const dirent* entry =
             ::readdir(stream.get())) {  // NOLINT(concurrency-mt-unsafe): own stream
    const std::string_view entry_name = entry->d_name;
    if (entry_name != "." && entry_name != "..") names.emplace_back(entry_name);
    errno = 0;
  }
  if (errno != 0) return Error::Errno("list directory");
  std::sort(names.begin(), names.end());
  return names;
}

Result<std::uint64_t> FreeBytes(FdRef directory) {
  struct statvfs status {};
  if (::fstatvfs(directory.get(), &status) != 0) return Error::Errno("ask for free space");
  return static_cast<std::uint64_t>(status.f_bavail) * status.f_frsize;
}

}  // namespace crd
