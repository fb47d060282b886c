#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "daemon/base/clock.h"
#include "daemon/base/result.h"
#include "daemon/base/unique_fd.h"
#include "net/description.h"
#include "net/packet_socket.h"

namespace crd::net {

// Asks the networks that a description belongs to whether anybody has one of its addresses
// (ARP probes, RFC 5227; neighbour solicitations, RFC 4862), from the bridge or the parent, before
// anything is plugged in. Addresses of interfaces that are on neither are not asked for, nor what
// is in a VLAN that the bridge itself is not in.
class DuplicateDetection {
 public:
  // Who is on this host answers within a millisecond, who is on this wire within a few.
  static constexpr auto kPatience = std::chrono::milliseconds(100);

  // Sends the questions and returns. ADDRESS_IN_USE if the host itself has one.
  static Result<DuplicateDetection> Start(const Description& description,
                                          std::chrono::milliseconds patience = kPatience);
  // ADDRESS_IN_USE, naming the MAC, as soon as somebody has answered; all is well once the
  // questions are as old as the patience. Asks a second time if it is called in the first half of
  // that: a frame may get lost, and a bridge does not always know yet who listens to a multicast.
  Result<void> Finish();

 private:
  struct Network {
    std::string where;
    PacketSocket socket;
    Bytes mac;  // of who asks
    std::vector<Bytes> addresses;
  };
  Result<void> Ask();
  Result<void> Listen(Deadline until);

  std::vector<Network> networks_;
  Deadline ask_again_{};
  Deadline answered_{};
};

// Tells the networks around a namespace where its addresses are: gratuitous ARP and unsolicited
// neighbour advertisements, from every interface that is up. Gives the sockets that it used: to
// close one is to wait for the kernel, some 10 ms, and who announces has no time.
Result<std::vector<PacketSocket>> Announce(const Description& description, FdRef netns);

}  // namespace crd::net
