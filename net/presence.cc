#include "net/presence.h"

#include <algorithm>
#include <chrono>

#include <linux/rtnetlink.h>

#include "net/frames.h"
#include "net/links.h"
#include "net/netns.h"
#include "net/refusals.h"
#include "net/tables.h"

namespace crd::net {
namespace {

// The interface of the host that shares its network; empty: none.
std::string AskedFrom(const Interface& interface) {
  if (!interface.parent.empty()) return interface.parent;
  const auto& end = interface.host_end;
  return end.has_value() && end->port.has_value() ? end->port->bridge : "";
}

std::vector<Bytes> AddressesOf(const Interface& interface) {
  std::vector<Bytes> addresses;
  for (const Address& address : interface.addresses) {
    auto bytes = ParseAddress(address.local);
    if (bytes.ok()) addresses.push_back(std::move(*bytes));
  }
  return addresses;
}

Result<void> RefuseOwn(Netlink& netlink, const Interface& interface, const Link& link) {
  for (const auto& [index, own] : TRY(ListAddresses(netlink, link.index))) {
    for (const Address& address : interface.addresses) {
      if (own.local != address.local) continue;
      return refusal::AddressInUse(address.local, link.mac, link.name);
    }
  }
  return {};
}

}  // namespace

Result<DuplicateDetection> DuplicateDetection::Start(const Description& description,
                                                     std::chrono::milliseconds patience) {
  DuplicateDetection detection;
  Netlink netlink = TRY(Netlink::Open());
  for (const Interface& interface : description.interfaces) {
    const std::string from = AskedFrom(interface);
    if (from.empty() || !interface.up() || interface.addresses.empty()) continue;
    const Link link = TRY(FindLink(netlink, from));
    TRY(RefuseOwn(netlink, interface, link));
    // Nobody can be heard, or hear, through one that is down.
    if (!link.operational || link.mac.empty()) continue;
    detection.networks_.push_back({.where = from,
                                   .socket = TRY(PacketSocket::Open(link.index)),
                                   .mac = TRY(ParseMac(link.mac)),
                                   .addresses = AddressesOf(interface)});
  }
  TRY(detection.Ask());
  const Deadline now = SteadyClock::now();
  detection.ask_again_ = now + patience / 2;
  detection.answered_ = now + patience;
  return detection;
}

Result<void> DuplicateDetection::Ask() {
  for (Network& network : networks_) {
    for (const Bytes& address : network.addresses)
      TRY(network.socket.Send(ProbeFrame(network.mac, address)));
  }
  return {};
}

Result<void> DuplicateDetection::Finish() {
  if (SteadyClock::now() < ask_again_) {
    TRY(Listen(ask_again_));
    TRY(Ask());
  }
  return Listen(answered_);
}

Result<void> DuplicateDetection::Listen(Deadline until) {
  // What has come in by then is looked at, but not for ever: more may come than can be looked at.
  const Deadline enough = std::max(until, SteadyClock::now()) + kPatience;
  for (Network& network : networks_) {
    while (SteadyClock::now() < enough) {
      const auto frame = network.socket.Receive(until);
      if (!frame.has_value()) break;
      for (const Bytes& address : network.addresses) {
        const auto owner = OwnerInFrame(*frame, address);
        if (!owner.has_value()) continue;
        return refusal::AddressInUse(AddressText(address), MacText(*owner), network.where);
      }
    }
  }
  return {};
}

Result<std::vector<PacketSocket>> Announce(const Description& description, FdRef netns) {
  std::vector<PacketSocket> used;
  TRY(RunInNetns(netns, [&]() -> Result<void> {
    for (const Interface& interface : description.interfaces) {
      if (interface.kind == "loopback" || !interface.up() || interface.addresses.empty()) continue;
      PacketSocket& socket = used.emplace_back(TRY(PacketSocket::Open(interface.index)));
      const Bytes mac = TRY(ParseMac(interface.mac));
      for (const Bytes& address : AddressesOf(interface)) {
        TRY(socket.Send(AnnouncementFrame(mac, address)));
      }
    }
    return {};
  }));
  return used;
}

}  // namespace crd::net
