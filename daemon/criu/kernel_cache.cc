#include "daemon/criu/kernel_cache.h"

#include <chrono>
#include <optional>
#include <system_error>
#include <thread>
#include <utility>

#include <fcntl.h>
#include <linux/magic.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <sys/vfs.h>

#include "daemon/base/files.h"
#include "daemon/base/pid_fd.h"

namespace crd::criu {
namespace {

constexpr std::chrono::seconds kProbeTime{15};

// Our copy: one line with the key, then CRIU's file.
constexpr char kCopyName[] = "criu-kernel-cache";

// What the cache is true for. The change time tells a replaced binary even when its size and
// modification time were kept.
Result<std::string> ReadKey(const std::string& criu_path) {
  const std::string boot = TRY(ReadBootId());
  utsname name{};
  if (::uname(&name) != 0) return Error::Errno("ask for the kernel's release");
  struct stat binary {};
  if (::stat(criu_path.c_str(), &binary) != 0) return Error::Errno("look at '{}'", criu_path);
  return fmt::format("{} {} {} {} {} {}.{:09}\n", boot, name.release, binary.st_dev, binary.st_ino,
                     binary.st_size, binary.st_ctim.tv_sec, binary.st_ctim.tv_nsec);
}

// Nobody but root can have written or replaced it.
bool IsPrivateToRoot(const struct stat& status) {
  return S_ISREG(status.st_mode) && status.st_uid == 0 && (status.st_mode & 0777) == 0600;
}

struct Place {
  UniqueFd directory;
  std::string name;
};

Result<Place> OpenPlace(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  if (slash == std::string::npos || slash == 0) {
    return Error{.code = Code::kInvalidArgument,
                 .message = fmt::format("'{}' is no place for a kernel cache", path)};
  }
  return Place{.directory = TRY(OpenDirectory(path.substr(0, slash))),
               .name = path.substr(slash + 1)};
}

bool IsOnTmpfs(const Place& place) {
  struct statfs status {};
  return ::fstatfs(place.directory.get(), &status) == 0 && status.f_type == TMPFS_MAGIC;
}

// What is there now, if nobody but root can have put it there.
std::optional<std::string> ReadInstalled(const Place& place) {
  struct stat status {};
  if (::fstatat(place.directory.get(), place.name.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0 ||
      !IsPrivateToRoot(status)) {
    return std::nullopt;
  }
  auto content = ReadFileAt(place.directory.ref(), place.name);
  return content.ok() ? std::optional(*std::move(content)) : std::nullopt;
}

std::optional<std::string> ReadCopy(FdRef cache_dir, const std::string& key) {
  auto copy = ReadFileAt(cache_dir, kCopyName);
  if (!copy.ok() || copy->size() <= key.size() || !copy->starts_with(key)) return std::nullopt;
  return copy->substr(key.size());
}

// To be run on a thread of its own, whose mount namespace it takes away from the process's.
Result<std::string> ProbeOnThisThread(Children& children, const std::string& criu_path) {
  if (::unshare(CLONE_NEWNS) != 0) return Error::Errno("make a mount namespace");
  if (::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) {
    return Error::Errno("keep mounts private");
  }
  if (::mount("crd", "/run", "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, "mode=0755,size=1m") != 0) {
    return Error::Errno("mount a tmpfs on /run");
  }
  const UniqueFd null(::open("/dev/null", O_RDWR | O_CLOEXEC));
  if (!null.valid()) return Error::Errno("open /dev/null");
  Child check =
      TRY(children.Launch({.argv = {criu_path, "--no-default-config", "check"},
                           .descriptors = {{null.ref(), 0}, {null.ref(), 1}, {null.ref(), 2}}}));
  // What it thinks of the kernel does not matter: it writes the file before it says so.
  TRY(check.Wait(SteadyClock::now() + kProbeTime).Annotate("criu check"));
  std::string cache = TRY(ReadFile(kKernelCachePath).Annotate("criu check wrote no cache"));
  if (cache.empty()) return Error::Internal("criu check wrote an empty cache");
  return cache;
}

Result<std::string> Probe(Children& children, const std::string& criu_path) {
  Result<std::string> result = Error::Internal("no probe was made");
  try {
    // The namespace ends with the thread, and with it the tmpfs.
    std::thread prober([&] { result = ProbeOnThisThread(children, criu_path); });
    prober.join();
  } catch (const std::system_error& failure) {
    return Error::Internal("start a thread: {}", failure.what());
  }
  return result;
}

}  // namespace

Result<bool> PrimeKernelCache(Children& children, const std::string& criu_path, FdRef cache_dir,
                              const std::string& path) {
  const Place place = TRY(OpenPlace(path));
  const auto installed = ReadInstalled(place);
  if (installed && IsOnTmpfs(place)) return false;
  const auto key = ReadKey(criu_path);
  auto cache = key.ok() ? ReadCopy(cache_dir, *key) : std::nullopt;
  if (cache && installed == cache) return false;

  // Whatever is there now cannot be told from one of an earlier boot.
  TRY(RemoveTreeAt(place.directory.ref(), place.name).Annotate("remove a kernel cache not ours"));
  if (!key.ok()) return key.error();
  if (!cache) {
    cache = TRY(Probe(children, criu_path));
    TRY(WriteFileAt(cache_dir, kCopyName, *key + *cache));
  }
  TRY(WriteFileAt(place.directory.ref(), place.name, *cache));
  return true;
}

}  // namespace crd::criu
