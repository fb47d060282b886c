#include "daemon/base/user_view.h"

#include <csignal>

#include <fcntl.h>
#include <linux/mount.h>
#include <sched.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

namespace crd {
namespace {

Result<void> WriteMap(const std::string& path, const std::string& map) {
  const UniqueFd file(::open(path.c_str(), O_WRONLY | O_CLOEXEC));
  if (!file.valid()) return Error::Errno("open '{}'", path);
  if (::write(file.get(), map.data(), map.size()) != static_cast<ssize_t>(map.size())) {
    return Error::Errno("write '{}' to '{}'", map, path);
  }
  return {};
}

// A child that is in a new user namespace when this returns, and stays until it is killed.
Result<pid_t> StartInUserNamespace() {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return Error::Errno("make a pipe");
  const UniqueFd out(ends[0]);
  UniqueFd in(ends[1]);
  // Not fork(): no handlers of libraries are to run, and nothing but system calls in the child.
  const pid_t child = ::_Fork();
  if (child < 0) return Error::Errno("start a process");
  if (child == 0) {
    const int failed = ::unshare(CLONE_NEWUSER) == 0 ? 0 : errno;
    if (::write(ends[1], &failed, sizeof failed) == sizeof failed) ::pause();
    ::_exit(0);
  }
  in.reset();
  int failed = ECHILD;
  while (::read(out.get(), &failed, sizeof failed) < 0 && errno == EINTR) {
  }
  if (failed == 0) return child;
  ::kill(child, SIGKILL);
  static_cast<void>(::waitpid(child, nullptr, 0));
  return Error::FromErrno(failed, "make a user namespace");
}

Result<UniqueFd> NamespaceWith(const IdMaps& maps, pid_t child) {
  TRY(WriteMap(fmt::format("/proc/{}/uid_map", child), maps.users));
  TRY(WriteMap(fmt::format("/proc/{}/gid_map", child), maps.groups));
  const std::string path = fmt::format("/proc/{}/ns/user", child);
  UniqueFd made(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!made.valid()) return Error::Errno("open '{}'", path);
  return made;
}

}  // namespace

Result<UniqueFd> ShowTo(const IdMaps& maps, FdRef directory) {
  const pid_t child = TRY(StartInUserNamespace());
  const auto users = NamespaceWith(maps, child);
  ::kill(child, SIGKILL);
  // Somebody else may have reaped it already.
  static_cast<void>(::waitpid(child, nullptr, 0));
  if (!users.ok()) return users.error();
  UniqueFd tree(static_cast<int>(::syscall(SYS_open_tree, directory.get(), "",
                                           AT_EMPTY_PATH | OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC)));
  if (!tree.valid()) return Error::Errno("clone the mount of a directory");
  mount_attr attributes{};
  attributes.attr_set = MOUNT_ATTR_IDMAP;
  attributes.userns_fd = static_cast<std::uint64_t>(users->get());
  if (::syscall(SYS_mount_setattr, tree.get(), "", AT_EMPTY_PATH, &attributes, sizeof attributes) !=
      0) {
    return Error::Errno("show a directory to a user namespace");
  }
  return tree;
}

}  // namespace crd
