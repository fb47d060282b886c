// What the benchmark checkpoints: bench_workload MIB PROCESSES READY
//
// A tree of PROCESSES, whose root holds MIB of memory that does not compress, and which does
// nothing at all once it has made the file READY: whatever takes time then is the checkpoint's.
#include <cstdint>
#include <cstdlib>

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

namespace {

constexpr int kBroken = 99;

void Fill(std::size_t bytes) {
  if (bytes == 0) return;
  void* memory = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) ::_exit(kBroken);
  auto* words = static_cast<std::uint64_t*>(memory);
  std::uint64_t state = 0x9E3779B97F4A7C15U;
  for (std::size_t i = 0; i < bytes / sizeof *words; ++i) {
    state ^= state << 13U;
    state ^= state >> 7U;
    state ^= state << 17U;
    words[i] = state;
  }
}

[[noreturn]] void Idle() {
  for (;;) ::pause();
}

void AddChildren(int count) {
  for (int i = 0; i < count; ++i) {
    const pid_t pid = ::fork();
    if (pid < 0) ::_exit(kBroken);
    if (pid == 0) Idle();
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 4) return 2;
  Fill(std::strtoul(argv[1], nullptr, 10) << 20U);
  AddChildren(std::atoi(argv[2]) - 1);
  const int ready = ::open(argv[3], O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
  if (ready < 0) return kBroken;
  ::close(ready);
  Idle();
}
