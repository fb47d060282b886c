#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/victims/modes.h"

namespace crd::victims {
namespace {

// What a process must keep through everything but its parent's end.
struct Kin {
  pid_t pid = ::getpid();
  pid_t parent = ::getppid();
  pid_t group = ::getpgid(0);
  pid_t session = ::getsid(0);
  bool operator==(const Kin&) const = default;
};

[[noreturn]] void KeepCounting(Self& self, int activity, bool check_parent = true) {
  const Kin before;
  for (std::uint64_t count = 1;; ++count) {
    Kin now;
    if (!check_parent) now.parent = before.parent;
    self.Require(now == before, "pid, parent, group or session have changed");
    self.Tick(activity, count);
    Self::Pause();
  }
}

bool Appeared(const char* path) { return ::access(path, F_OK) == 0; }

// The file's text, once it is complete: it ends with a newline.
std::string ReadOrder(const char* path) {
  char text[64] = {};
  const int fd = ::open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return "";
  const ssize_t size = ::read(fd, text, sizeof text - 1);
  ::close(fd);
  return size > 0 && text[size - 1] == '\n' ? std::string(text) : "";
}

void ReapAll() {
  while (::waitpid(-1, nullptr, WNOHANG) > 0) {
  }
}

}  // namespace

void Tree(Self& self, const Arguments& arguments) {
  const int count = arguments.Number(0, 10);
  const int first = self.Activities(count);
  for (int i = 1; i < count; ++i) {
    ForkChild(self, [&] { KeepCounting(self, first + i); });
  }
  self.Ready();
  KeepCounting(self, first, /*check_parent=*/false);
}

// A session with two groups, and beneath it another session with a group of its own.
void Sessions(Self& self, const Arguments&) {
  const int first = self.Activities(5);
  ForkChild(self, [&] {
    self.RequireCall(::setpgid(0, 0), "make a group");
    ForkChild(self, [&] { KeepCounting(self, first + 1); });
    KeepCounting(self, first + 2);
  });
  ForkChild(self, [&] {
    self.RequireCall(::setsid(), "make a session");
    ForkChild(self, [&] {
      self.RequireCall(::setpgid(0, 0), "make a group");
      KeepCounting(self, first + 3);
    });
    KeepCounting(self, first + 4);
  });
  self.Ready();
  KeepCounting(self, first, /*check_parent=*/false);
}

void Ends(Self& self, const Arguments& arguments) {
  const int activity = self.Activities(1);
  self.Ready();
  for (std::uint64_t count = 1;; ++count) {
    self.Tick(activity, count);
    Self::Pause();
    const std::string order = ReadOrder(arguments.Text(0));
    if (order.empty()) continue;
    if (order.starts_with("signal ")) ::kill(::getpid(), std::atoi(order.c_str() + 7));
    self.Require(order.starts_with("exit "), "an order that it does not know");
    ::_exit(std::atoi(order.c_str() + 5));
  }
}

void Orphans(Self& self, const Arguments& arguments) {
  const int first = self.Activities(1);
  bool made = false;
  self.Ready();
  for (std::uint64_t count = 1;; ++count) {
    self.Tick(first, count);
    Self::Pause();
    ReapAll();
    if (made || !Appeared(arguments.Text(0))) continue;
    made = true;
    const int orphan = self.Activities(1);
    ForkChild(self, [&] {
      const pid_t parent = ::getpid();
      ForkChild(self, [&] {
        while (::getppid() == parent) Self::Pause();
        self.SetValue(1, ::getppid());
        self.SetValue(0, ::getpid());
        KeepCounting(self, orphan, /*check_parent=*/false);
      });
    });
  }
}

void Zombies(Self& self, const Arguments& arguments) {
  const int activity = self.Activities(1);
  const int wanted = arguments.Number(1, 1000);
  int made = 0;
  self.Ready();
  for (std::uint64_t count = 1;; ++count) {
    self.Tick(activity, count);
    Self::Pause();
    while (made < wanted && Appeared(arguments.Text(0))) {
      const pid_t middle = ForkChild(self, [&] { ForkChild(self, [] {}); });
      self.RequireCall(::waitpid(middle, nullptr, 0), "reap the one in the middle");
      self.SetValue(0, ++made);
    }
  }
}

void Forker(Self& self, const Arguments&) {
  const int activity = self.Activities(1);
  self.Ready();
  for (std::uint64_t count = 1;; ++count) {
    const pid_t child = ForkChild(self, [] {});
    int status = 0;
    while (::waitpid(child, &status, 0) < 0) {
      self.Require(errno == EINTR, "reap a child");
    }
    self.Require(WIFEXITED(status) && WEXITSTATUS(status) == 0, "a child ended otherwise");
    self.Tick(activity, count);
    Self::Pause();
  }
}

// Runs another victim, which has a report of its own, as its child, and does not reap it before
// FILE appears.
void Holder(Self& self, const Arguments& arguments) {
  const pid_t child = ForkChild(self, [&] {
    const std::string report = self.Beside("held");
    char name[] = "/proc/self/exe";
    char* argv[16] = {name, arguments.values[1], const_cast<char*>(report.c_str())};
    for (int i = 2; i < arguments.count && i < 14; ++i) argv[i + 1] = arguments.values[i];
    ::execv(name, argv);
  });
  self.SetValue(0, child);
  const int activity = self.Activities(1);
  self.Ready();
  for (std::uint64_t count = 1;; ++count) {
    if (Appeared(arguments.Text(0))) ReapAll();
    self.Tick(activity, count);
    Self::Pause();
  }
}

}  // namespace crd::victims
