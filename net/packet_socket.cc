#include "net/packet_socket.h"

#include <iterator>

#include <arpa/inet.h>
#include <linux/filter.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <poll.h>
#include <sys/socket.h>

namespace crd::net {
namespace {

constexpr std::uint16_t kLoadHalf = BPF_LD | BPF_H | BPF_ABS;
constexpr std::uint16_t kLoadByte = BPF_LD | BPF_B | BPF_ABS;
constexpr std::uint16_t kIfEqual = BPF_JMP | BPF_JEQ | BPF_K;
constexpr std::uint16_t kReturn = BPF_RET | BPF_K;

// Everything else that goes over the interface would crowd out what is waited for.
const sock_filter kArpOrIcmp6[] = {
    {kLoadHalf, 0, 0, 12},            // the frame's protocol
    {kIfEqual, 3, 0, ETH_P_ARP},      // to the end
    {kIfEqual, 0, 3, ETH_P_IPV6},     //
    {kLoadByte, 0, 0, ETH_HLEN + 6},  // IPv6's next header
    {kIfEqual, 0, 1, 58},             // ICMPv6
    {kReturn, 0, 0, 0xffff},
    {kReturn, 0, 0, 0},
};

}  // namespace

Result<PacketSocket> PacketSocket::Open(int interface) {
  // Protocol 0: nothing is received before the filter is in place.
  UniqueFd socket(::socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!socket.valid()) return Error::Errno("open a packet socket");
  sock_fprog program{};
  program.len = static_cast<unsigned short>(std::size(kArpOrIcmp6));
  program.filter = const_cast<sock_filter*>(kArpOrIcmp6);  // only read
  if (::setsockopt(socket.get(), SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program) != 0) {
    return Error::Errno("filter a packet socket");
  }
  sockaddr_ll address{};
  address.sll_family = AF_PACKET;
  address.sll_protocol = htons(ETH_P_ALL);
  address.sll_ifindex = interface;
  if (::bind(socket.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) {
    return Error::Errno("bind a packet socket to interface {}", interface);
  }
  return PacketSocket(std::move(socket));
}

Result<void> PacketSocket::Send(const Bytes& frame) {
  if (::send(socket_.get(), frame.data(), frame.size(), 0) < 0) {
    return Error::Errno("send a frame of {} bytes", frame.size());
  }
  return {};
}

std::optional<Bytes> PacketSocket::Receive(Deadline deadline) {
  for (;;) {
    unsigned char data[256];  // what is asked for is shorter
    sockaddr_ll from{};
    socklen_t size = sizeof from;
    const ssize_t got =
        ::recvfrom(socket_.get(), data, sizeof data, 0, reinterpret_cast<sockaddr*>(&from), &size);
    if (got >= 0) {
      if (from.sll_pkttype == PACKET_OUTGOING) continue;  // our own
      return Bytes(data, data + got);
    }
    if (errno != EAGAIN && errno != EINTR) return std::nullopt;
    pollfd waiting{.fd = socket_.get(), .events = POLLIN, .revents = 0};
    if (::poll(&waiting, 1, PollTimeout(deadline)) == 0) return std::nullopt;
  }
}

}  // namespace crd::net
