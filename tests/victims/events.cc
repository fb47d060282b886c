#include <cerrno>
#include <csignal>
#include <ctime>

#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "tests/victims/modes.h"

namespace crd::victims {
namespace {

struct Sources {
  int epoll = -1;
  int event = -1;
  int timer = -1;
  int signal = -1;
  int inotify = -1;
  int watched = -1;  // a file whose changes inotify tells
};

void Add(Self& self, int epoll, int fd) {
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.fd = fd;
  self.RequireCall(::epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event), "add to epoll");
}

Sources Open(Self& self) {
  Sources sources;
  sources.epoll = self.RequireCall(::epoll_create1(EPOLL_CLOEXEC), "make an epoll");
  sources.event = self.RequireCall(::eventfd(0, EFD_CLOEXEC), "make an eventfd");
  sources.timer = self.RequireCall(::timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC), "make a timer");
  sigset_t usr1;
  sigemptyset(&usr1);
  sigaddset(&usr1, SIGUSR1);
  self.RequireCall(::sigprocmask(SIG_BLOCK, &usr1, nullptr), "block a signal");
  sources.signal = self.RequireCall(::signalfd(-1, &usr1, SFD_CLOEXEC), "make a signalfd");
  const std::string path = self.Beside("watched");
  sources.watched =
      self.RequireCall(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600), "make a file");
  sources.inotify = self.RequireCall(::inotify_init1(IN_CLOEXEC), "make an inotify");
  self.RequireCall(::inotify_add_watch(sources.inotify, path.c_str(), IN_MODIFY), "watch a file");
  for (const int fd : {sources.event, sources.timer, sources.signal, sources.inotify}) {
    Add(self, sources.epoll, fd);
  }
  return sources;
}

constexpr timespec kMillisecond{.tv_sec = 0, .tv_nsec = 1'000'000};

void SetTimer(Self& self, int timer, const timespec& interval) {
  const itimerspec when{.it_interval = interval, .it_value = kMillisecond};
  self.RequireCall(::timerfd_settime(timer, 0, &when, nullptr), "set a timer");
}

void Provoke(Self& self, const Sources& sources) {
  SetTimer(self, sources.timer, timespec{});
  const std::uint64_t one = 1;
  self.Require(::write(sources.event, &one, sizeof one) == sizeof one, "write the eventfd");
  self.Require(::pwrite(sources.watched, &one, sizeof one, 0) == sizeof one, "change the file");
  self.RequireCall(::kill(::getpid(), SIGUSR1), "signal oneself");
}

}  // namespace

// Each source is an activity: it goes on as long as its events come through the epoll.
void Events(Self& self, const Arguments&) {
  const int first = self.Activities(4);
  const Sources sources = Open(self);
  const int order[] = {sources.event, sources.timer, sources.signal, sources.inotify};
  std::uint64_t counts[4] = {};
  self.Ready();
  for (;;) {
    Provoke(self, sources);
    bool seen[4] = {};
    while (!(seen[0] && seen[1] && seen[2] && seen[3])) {
      epoll_event event{};
      const int ready = ::epoll_wait(sources.epoll, &event, 1, 10'000);
      // A checkpoint interrupts it.
      if (ready < 0) continue;
      self.Require(ready == 1, "nothing comes through the epoll any more");
      for (int i = 0; i < 4; ++i) {
        if (event.data.fd != order[i]) continue;
        char content[4096];
        self.Require(::read(order[i], content, sizeof content) > 0, "read an event");
        self.Tick(first + i, ++counts[i]);
        seen[i] = true;
      }
    }
  }
}

void PeriodicTimer(Self& self, const Arguments&) {
  const int activity = self.Activities(1);
  const int timer = self.RequireCall(::timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC), "make it");
  SetTimer(self, timer, kMillisecond);
  self.Ready();
  for (std::uint64_t count = 1;; ++count) {
    std::uint64_t expirations = 0;
    while (::read(timer, &expirations, sizeof expirations) < 0) {
      self.Require(errno == EINTR, "read a timer");
    }
    self.Require(expirations > 0, "a timer that did not expire");
    self.Tick(activity, count);
  }
}

}  // namespace crd::victims
