#include <csignal>
#include <cstring>

#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/io_uring.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "tests/victims/modes.h"

namespace crd::victims {
namespace {

[[noreturn]] void GoOn(Self& self) {
  const int activity = self.Activities(1);
  self.Ready();
  for (std::uint64_t count = 1;; ++count) {
    self.Tick(activity, count);
    Self::Pause();
  }
}

}  // namespace

void IoUring(Self& self, const Arguments&) {
  io_uring_params parameters{};
  self.RequireCall(::syscall(SYS_io_uring_setup, 4, &parameters), "make an io_uring");
  GoOn(self);
}

// The parent traces its child, which runs on.
void Traced(Self& self, const Arguments&) {
  const int activity = self.Activities(1);
  const pid_t child = ForkChild(self, [&] {
    for (std::uint64_t count = 1;; ++count) {
      self.Tick(activity, count);
      Self::Pause();
    }
  });
  self.SetValue(0, child);
  self.RequireCall(::ptrace(PTRACE_SEIZE, child, nullptr, nullptr), "trace the child");
  GoOn(self);
}

void PacketRing(Self& self, const Arguments&) {
  const int fd = self.RequireCall(::socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, htons(ETH_P_ALL)),
                                  "make a packet socket");
  tpacket_req ring{};
  ring.tp_block_size = 4096;
  ring.tp_block_nr = 4;
  ring.tp_frame_size = 2048;
  ring.tp_frame_nr = 8;
  self.RequireCall(::setsockopt(fd, SOL_PACKET, PACKET_RX_RING, &ring, sizeof ring), "make a ring");
  self.Require(::mmap(nullptr, 4096 * 4, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0) != MAP_FAILED,
               "map the ring");
  GoOn(self);
}

void Socket(Self& self, const Arguments& arguments) {
  self.RequireCall(::socket(arguments.Number(0, AF_XDP), arguments.Number(1, SOCK_RAW), 0),
                   "make a socket");
  GoOn(self);
}

void PipeHolder(Self& self, const Arguments&) { GoOn(self); }

void Opens(Self& self, const Arguments& arguments) {
  self.RequireCall(::open(arguments.Text(0), O_RDONLY | O_CLOEXEC), "open it");
  GoOn(self);
}

}  // namespace crd::victims
