#include <cstdint>
#include <cstring>

#include <pthread.h>
#include <sched.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/shm.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "tests/victims/modes.h"

namespace crd::victims {
namespace {

constexpr std::size_t kPage = 4096;

// What must be at one word of checked memory: depends on where it is and on a generation.
std::uint64_t Pattern(std::size_t index, std::uint64_t generation) {
  return (index * 0x9E3779B97F4A7C15ULL) ^ (generation << 32U) ^ index;
}

struct Thread {
  Self* self;
  int activity;
};

void* RunThread(void* argument) {
  const Thread thread = *static_cast<Thread*>(argument);
  const long tid = ::syscall(SYS_gettid);
  thread.self->SetValue(thread.activity, tid);
  thread_local std::uint64_t own = 0;
  for (std::uint64_t count = 1;; ++count) {
    thread.self->Require(++own == count, "a thread's own variable is wrong");
    thread.self->Require(::syscall(SYS_gettid) == tid, "a thread has another id");
    thread.self->Tick(thread.activity, count);
    Self::Pause();
  }
}

// Two processes count in turns: one even, one odd.
void TakeTurns(Self& self, std::uint64_t* turn, std::uint64_t parity, int activity) {
  const std::atomic_ref<std::uint64_t> shared(*turn);
  std::uint64_t expected = parity;
  for (;;) {
    while (shared.load() != expected) Self::Pause();
    shared.store(expected + 1);
    self.Tick(activity, expected);
    expected += 2;
  }
}

}  // namespace

void Counter(Self& self, const Arguments&) {
  const int activity = self.Activities(1);
  const pid_t pid = ::getpid();
  const pid_t session = ::getsid(0);
  self.Ready();
  for (std::uint64_t count = 1;; ++count) {
    self.Require(::syscall(SYS_getpid) == pid, "has another pid");
    self.Require(::getsid(0) == session, "is in another session");
    self.Tick(activity, count);
    Self::Pause();
  }
}

void Threads(Self& self, const Arguments& arguments) {
  const int count = arguments.Number(0, 4);
  const int first = self.Activities(count);
  auto* threads = new Thread[static_cast<std::size_t>(count)];
  for (int i = 0; i < count; ++i) {
    threads[i] = {.self = &self, .activity = first + i};
    pthread_t thread{};
    self.Require(::pthread_create(&thread, nullptr, RunThread, &threads[i]) == 0, "start a thread");
  }
  self.Ready();
  for (;;) ::pause();
}

void Memory(Self& self, const Arguments& arguments) {
  const int activity = self.Activities(1);
  const std::size_t size = static_cast<std::size_t>(arguments.Number(0, 16)) << 20U;
  void* memory = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  self.Require(memory != MAP_FAILED, "map memory");
  auto* words = static_cast<std::uint64_t*>(memory);
  const std::size_t total = size / sizeof(std::uint64_t);
  const std::size_t step = kPage / sizeof(std::uint64_t);
  for (std::size_t i = 0; i < total; ++i) words[i] = Pattern(i, 0);
  self.Ready();
  // Page after page, 64 each time; each is left with the next generation's content.
  std::uint64_t generation = 0;
  std::size_t page = 0;
  for (std::uint64_t count = 1;; ++count) {
    for (int i = 0; i < 64; ++i) {
      for (std::size_t word = page; word < page + step; ++word) {
        self.Require(words[word] == Pattern(word, generation), "memory has changed");
        words[word] = Pattern(word, generation + 1);
      }
      page += step;
      if (page == total) {
        page = 0;
        ++generation;
      }
    }
    self.Tick(activity, count);
    Self::Pause();
  }
}

void SharedMemory(Self& self, const Arguments&) {
  const int first = self.Activities(4);
  void* anonymous =
      ::mmap(nullptr, kPage, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  const int fd = self.RequireCall(::memfd_create("victim", MFD_CLOEXEC), "make a memfd");
  self.RequireCall(::ftruncate(fd, kPage), "size a memfd");
  void* memfd = ::mmap(nullptr, kPage, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  self.Require(anonymous != MAP_FAILED && memfd != MAP_FAILED, "map shared memory");
  auto* one = static_cast<std::uint64_t*>(anonymous);
  auto* other = static_cast<std::uint64_t*>(memfd);
  ForkChild(self, [&] { TakeTurns(self, one, 1, first + 1); });
  ForkChild(self, [&] { TakeTurns(self, other, 0, first + 2); });
  ForkChild(self, [&] { TakeTurns(self, other, 1, first + 3); });
  self.Ready();
  TakeTurns(self, one, 0, first);
}

void SysvMemory(Self& self, const Arguments& arguments) {
  const int first = self.Activities(2);
  if (std::strcmp(arguments.Text(0), "own") == 0) {
    self.RequireCall(::unshare(CLONE_NEWIPC), "make an IPC namespace");
  }
  const int id = self.RequireCall(::shmget(IPC_PRIVATE, kPage, IPC_CREAT | 0600), "make a segment");
  void* memory = ::shmat(id, nullptr, 0);
  // NOLINTNEXTLINE(performance-no-int-to-ptr): what shmat(2) returns
  self.Require(memory != reinterpret_cast<void*>(-1), "attach the segment");
  self.RequireCall(::shmctl(id, IPC_RMID, nullptr), "have the segment go with the last user");
  auto* turn = static_cast<std::uint64_t*>(memory);
  ForkChild(self, [&] { TakeTurns(self, turn, 1, first + 1); });
  self.Ready();
  TakeTurns(self, turn, 0, first);
}

}  // namespace crd::victims
