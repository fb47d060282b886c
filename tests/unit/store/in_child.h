#pragma once

#include <csignal>
#include <cstdio>
#include <functional>

#include <gtest/gtest.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

namespace crd::testing {

// Forks a child that dies with us. It runs `body` and exits, with 1 if an expectation of gtest
// failed in it.
inline pid_t StartChild(const std::function<void()>& body) {
  std::fflush(nullptr);
  const pid_t child = ::fork();
  if (child != 0) return child;
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  body();
  std::fflush(nullptr);
  ::_exit(::testing::Test::HasFailure() ? 1 : 0);
}

inline int WaitFor(pid_t child) {
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  return status;
}

// For what would spoil the test process: limits, mounts, a lock on a file.
inline void RunInChild(const std::function<void()>& body) {
  const pid_t child = StartChild(body);
  ASSERT_GT(child, 0);
  EXPECT_EQ(WaitFor(child), 0) << "wait status of the child";
}

// In a child: a fresh tmpfs on `directory` that nobody else sees and that goes with the child.
inline void MountPrivateTmpfs(const std::string& directory, const char* options) {
  ASSERT_EQ(::unshare(CLONE_NEWNS), 0);
  ASSERT_EQ(::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr), 0);
  ASSERT_EQ(::mount("tmpfs", directory.c_str(), "tmpfs", 0, options), 0);
}

}  // namespace crd::testing
