#include "net/netns.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <linux/nsfs.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "daemon/base/run_apart.h"
#include "net/refusals.h"

namespace crd::net {
namespace {

constexpr std::string_view kNoThread = "start a thread for a network namespace";

}  // namespace

Result<void> RunInNetns(FdRef netns, const std::function<Result<void>()>& work) {
  if (!netns.valid()) return work();
  return RunApart(kNoThread, [&]() -> Result<void> {
    if (::setns(netns.get(), CLONE_NEWNET) != 0) return Error::Errno("enter a network namespace");
    return work();
  });
}

Result<void> RunInNewNetns(const std::function<Result<void>()>& work) {
  return RunApart(kNoThread, [&]() -> Result<void> {
    if (::unshare(CLONE_NEWNET) != 0) return Error::Errno("make a network namespace");
    return work();
  });
}

Result<UniqueFd> MakeNetns() {
  UniqueFd netns;
  TRY(RunInNewNetns([&]() -> Result<void> {
    netns.reset(::open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC));
    if (!netns.valid()) return Error::Errno("keep a new network namespace");
    return {};
  }));
  return netns;
}

Result<UniqueFd> OpenNetns(const std::string& path) {
  // Looked at before it is opened: to open a device or a FIFO is to do something with it.
  const UniqueFd seen(::open(path.c_str(), O_PATH | O_CLOEXEC));
  if (!seen.valid()) {
    if (errno == ENOENT || errno == ENOTDIR) return refusal::NetnsNotFound(path);
    return Error::Errno("open the network namespace '{}'", path);
  }
  struct statfs filesystem {};
  if (::fstatfs(seen.get(), &filesystem) != 0) return Error::Errno("look at '{}'", path);
  if (filesystem.f_type != NSFS_MAGIC) return refusal::NotANetworkNamespace(path);
  const std::string again = fmt::format("/proc/thread-self/fd/{}", seen.get());
  UniqueFd netns(::open(again.c_str(), O_RDONLY | O_CLOEXEC));
  if (!netns.valid()) return Error::Errno("open the network namespace '{}'", path);
  if (::ioctl(netns.get(), NS_GET_NSTYPE) != CLONE_NEWNET) {
    return refusal::NotANetworkNamespace(path);
  }
  return netns;
}

Result<void> PinNetns(FdRef netns, const std::string& path) {
  const UniqueFd file(::open(path.c_str(), O_RDONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  if (!file.valid()) return Error::Errno("make '{}' to pin a network namespace to", path);
  const std::string source = fmt::format("/proc/thread-self/fd/{}", netns.get());
  if (::mount(source.c_str(), path.c_str(), nullptr, MS_BIND, nullptr) != 0) {
    Error error = Error::Errno("pin a network namespace to '{}'", path);
    ::unlink(path.c_str());
    return error;
  }
  return {};
}

Result<void> UnpinNetns(const std::string& path) {
  if (::umount2(path.c_str(), MNT_DETACH | UMOUNT_NOFOLLOW) != 0 && errno != EINVAL &&
      errno != ENOENT) {
    return Error::Errno("release the network namespace that is pinned to '{}'", path);
  }
  if (::unlink(path.c_str()) != 0 && errno != ENOENT) {
    return Error::Errno("remove '{}', to which a network namespace was pinned", path);
  }
  return {};
}

}  // namespace crd::net
