#include "daemon/core/network_changes.h"

#include <algorithm>
#include <string_view>
#include <utility>

#include "daemon/core/errors.h"
#include "net/ip_text.h"

namespace crd {
namespace {

// The address of "10.77.0.5:80", "[fd77::5]:80", or of both versions "[::ffff:10.77.0.5]:80".
std::string_view HostOf(std::string_view endpoint) {
  std::string_view host = endpoint.substr(0, endpoint.rfind(':'));
  if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
  constexpr std::string_view kMapped = "::ffff:";
  if (host.starts_with(kMapped) && host.find('.') != std::string_view::npos) {
    host.remove_prefix(kMapped.size());
  }
  return host;
}

Result<void> CheckSockets(const std::string& address, const std::vector<OpenSocket>& sockets,
                          bool close_connections) {
  for (const OpenSocket& socket : sockets) {
    if (HostOf(socket.local) != address) continue;
    const bool connection = socket.protocol == "tcp" && !socket.peer.empty();
    if (!connection) return errors::SocketLosesAddress(socket.protocol, socket.local, socket.pid);
    if (!close_connections) {
      return errors::ConnectionLosesAddress(socket.local, socket.peer, socket.pid);
    }
  }
  return {};
}

// Of a prefix: all ones behind it.
std::string BroadcastOf(const net::Bytes& address, int prefix_length) {
  net::Bytes broadcast = address;
  for (int bit = prefix_length; bit < static_cast<int>(broadcast.size()) * 8; ++bit) {
    broadcast[static_cast<std::size_t>(bit / 8)] |= static_cast<unsigned char>(0x80U >> (bit % 8U));
  }
  return net::AddressText(broadcast);
}

class Changer {
 public:
  Changer(net::Description& description, const std::vector<OpenSocket>& sockets,
          bool close_connections)
      : description_(description), sockets_(sockets), close_connections_(close_connections) {}

  Result<void> Change(const std::string& from, const std::string& to) {
    bool known = false;
    for (net::Interface& interface : description_.interfaces) {
      for (net::Address& address : interface.addresses) {
        if (address.local != from) continue;
        TRY(ChangeAddress(interface, address, to));
        known = true;
      }
      if (interface.mac == from) known |= TRY(ChangeMac(interface.mac, to));
      if (!interface.host_end.has_value()) continue;
      net::HostEnd& end = *interface.host_end;
      if (end.mac == from) known |= TRY(ChangeMac(end.mac, to));
      if (end.name == from) known |= Rename(end.name, to);
      if (end.port.has_value() && end.port->bridge == from) known |= Rename(end.port->bridge, to);
    }
    return known ? Result<void>() : errors::NetworkChangeUnknown(from);
  }

 private:
  static bool Rename(std::string& name, const std::string& to) {
    name = to;
    return true;
  }

  static Result<bool> ChangeMac(std::string& mac, const std::string& to) {
    const auto parsed = net::ParseMac(to);
    // The lowest bit of the first byte says that it is a group's.
    if (!parsed.ok() || (parsed->front() & 1U) != 0) {
      return errors::NetworkChangeInvalid(mac, to, "that is no MAC of an interface");
    }
    mac = net::MacText(*parsed);
    return true;
  }

  Result<void> ChangeAddress(net::Interface& interface, net::Address& address,
                             const std::string& to) {
    const std::string from = address.local;
    const auto parsed = net::ParseAddress(to);
    if (!parsed.ok() || parsed->size() != TRY(net::ParseAddress(from)).size()) {
      return errors::NetworkChangeInvalid(from, to, "that is no address of the same version");
    }
    TRY(CheckSockets(from, sockets_, close_connections_));
    address.local = net::AddressText(*parsed);
    if (!address.broadcast.empty()) {
      address.broadcast = BroadcastOf(*parsed, address.prefix_length);
    }
    for (net::Route& route : description_.routes) {
      if (route.preferred_source == from) route.preferred_source = address.local;
    }
    if (!interface.host_end.has_value() || !interface.host_end->port.has_value()) return {};
    // Where the old one was in a subnet of the bridge, the new one has to be.
    std::vector<std::string>& subnets = interface.host_end->port->bridge_addresses;
    const net::Bytes old = TRY(net::ParseAddress(from));
    for (const std::string& text : subnets) {
      if (!net::Contains(TRY(net::ParsePrefix(text)), old)) continue;
      subnets.push_back(fmt::format("{}/{}", address.local, parsed->size() * 8));
      break;
    }
    return {};
  }

  net::Description& description_;
  const std::vector<OpenSocket>& sockets_;
  const bool close_connections_;
};

}  // namespace

Result<TreeNetwork> WithChanges(const TreeNetwork& network, const NetworkChanges& changes,
                                const std::vector<OpenSocket>& sockets, bool close_connections) {
  TreeNetwork changed = network;
  Changer changer(changed.description, sockets, close_connections);
  for (const auto& [from, to] : changes) TRY(changer.Change(from, to));
  return changed;
}

}  // namespace crd
