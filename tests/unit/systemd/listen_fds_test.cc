#include "systemd/listen_fds.h"

#include <cstdlib>
#include <functional>
#include <string>
#include <vector>

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/support/result_matchers.h"

namespace crd::systemd {
namespace {

UniqueFd ListeningSocket() {
  UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_un anywhere{.sun_family = AF_UNIX, .sun_path = {}};
  // Linux gives an unnamed socket an abstract name.
  EXPECT_EQ(::bind(fd.get(), reinterpret_cast<const sockaddr*>(&anywhere), sizeof(sa_family_t)), 0);
  EXPECT_EQ(::listen(fd.get(), 1), 0);
  return fd;
}

// Runs `check` in a child that was started as systemd starts a service with three descriptors: a
// listening socket, something of a pidfd's name, and something that nobody knows.
void InService(const std::string& listen_pid, const std::function<bool()>& check) {
  const UniqueFd socket = ListeningSocket();
  const UniqueFd pidfd(::eventfd(0, EFD_CLOEXEC));
  const UniqueFd unknown(::eventfd(0, EFD_CLOEXEC));
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    const int sources[] = {::dup(socket.get()), ::dup(pidfd.get()), ::dup(unknown.get())};
    int moved[3];
    for (int i = 0; i < 3; ++i) moved[i] = ::fcntl(sources[i], F_DUPFD, 50);
    for (int i = 0; i < 3; ++i) ::dup2(moved[i], 3 + i);
    const std::string pid = listen_pid.empty() ? std::to_string(::getpid()) : listen_pid;
    ::setenv("LISTEN_PID", pid.c_str(), 1);
    ::setenv("LISTEN_FDS", "3", 1);
    ::setenv("LISTEN_FDNAMES", "crd.socket:pidfd.0123456789abcdef:netns.old", 1);
    ::_exit(check() ? 0 : 1);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
}

TEST(ListenFds, WithoutSystemdThereIsNothing) {
  ::unsetenv("LISTEN_FDS");
  ASSERT_OK_AND_ASSIGN(const InheritedFds inherited, TakeInheritedFds());
  EXPECT_TRUE(inherited.listeners.empty());
  EXPECT_TRUE(inherited.pidfds.empty());
  EXPECT_TRUE(inherited.unwanted.empty());
}

TEST(ListenFds, DescriptorsAreSortedByWhatTheyAre) {
  InService("", [] {
    const auto inherited = TakeInheritedFds();
    return inherited.ok() && inherited->listeners.size() == 1 && inherited->pidfds.size() == 1 &&
           inherited->listeners[0].name == "crd.socket" && inherited->listeners[0].fd.get() == 3 &&
           inherited->pidfds[0].name == "pidfd.0123456789abcdef" &&
           inherited->unwanted == std::vector<std::string>{"netns.old"};
  });
}

TEST(ListenFds, DescriptorsAreCloseOnExecAndUnwantedOnesAreClosed) {
  InService("", [] {
    const auto inherited = TakeInheritedFds();
    return inherited.ok() && (::fcntl(3, F_GETFD) & FD_CLOEXEC) != 0 &&
           (::fcntl(4, F_GETFD) & FD_CLOEXEC) != 0 && ::fcntl(5, F_GETFD) == -1;
  });
}

TEST(ListenFds, TheyAreTakenOnceAndTheEnvironmentIsClean) {
  InService("", [] {
    const auto first = TakeInheritedFds();
    const auto second = TakeInheritedFds();
    return first.ok() && second.ok() && second->listeners.empty() && second->pidfds.empty() &&
           ::getenv("LISTEN_FDS") == nullptr && ::getenv("LISTEN_PID") == nullptr &&
           ::getenv("LISTEN_FDNAMES") == nullptr;
  });
}

TEST(ListenFds, WhatIsMeantForAnotherProcessIsLeftAlone) {
  InService("1", [] {
    const auto inherited = TakeInheritedFds();
    return inherited.ok() && inherited->listeners.empty() && ::fcntl(3, F_GETFD) >= 0;
  });
}

}  // namespace
}  // namespace crd::systemd
