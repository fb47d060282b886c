#include "daemon/core/caller_access.h"

#include <sys/fsuid.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "daemon/base/run_apart.h"

namespace crd {
namespace {

// The calling thread becomes, for files, who it is told to be; with the uid go the capabilities to
// pass over modes (capabilities(7)). The kernel's calls: the C library's change every thread.
Result<void> AssumeFileAccess(const Credentials& user) {
  if (::syscall(SYS_setgroups, user.groups.size(), user.groups.data()) != 0)
    return Error::Errno("take on the groups of user {}", user.uid);
  ::setfsgid(user.gid);
  ::setfsuid(user.uid);
  // Neither reports a failure; each returns what it was before.
  constexpr auto kAsk = static_cast<uid_t>(-1);
  if (::setfsuid(kAsk) != static_cast<int>(user.uid) ||
      ::setfsgid(kAsk) != static_cast<int>(user.gid)) {
    return Error::FromErrno(EPERM, fmt::format("open it as user {}", user.uid));
  }
  return {};
}

}  // namespace

Result<UniqueFd> OpenAs(const Credentials& user, const std::function<Result<UniqueFd>()>& open) {
  if (user.uid == 0) return open();
  return RunApart("start a thread to open it", [&]() -> Result<UniqueFd> {
    TRY(AssumeFileAccess(user));
    return open().Annotate(fmt::format("as user {}", user.uid));
  });
}

}  // namespace crd
