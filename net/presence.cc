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
    Asked asked{.where = from,
                .socket = TRY(PacketSocket::Open(link.index)),
                .addresses = AddressesOf(interface)};
    const Bytes mac = TRY(ParseMac(link.mac));
    for (const Bytes& address : asked.addresses) TRY(asked.socket.Send(ProbeFrame(mac, address)));
    detection.asked_.push_back(std::move(asked));
  }
  detection.answered_ = SteadyClock::now() + patience;
  return detection;
}

Result<void> DuplicateDetection::Finish() {
  // What has come in by then is looked at, but not for ever: more may come than can be looked at.
  const Deadline enough = std::max(answered_, SteadyClock::now()) + kPatience;
  for (Asked& asked : asked_) {
    while (SteadyClock::now() < enough) {
      const auto frame = asked.socket.Receive(answered_);
      if (!frame.has_value()) break;
      for (const Bytes& address : asked.addresses) {
        const auto owner = OwnerInFrame(*frame, address);
        if (!owner.has_value()) continue;
        return refusal::AddressInUse(AddressText(address), MacText(*owner), asked.where);
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
