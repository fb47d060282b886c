#include "daemon/rpc/convert.h"
#include "daemon/rpc/text.h"

namespace crd::rpc {
namespace {

v1::NetworkInterface ToProto(const net::Interface& interface) {
  v1::NetworkInterface message;
  message.set_name(ValidUtf8(interface.name));
  message.set_index(interface.index);
  message.set_kind(interface.kind);
  message.set_mac(interface.mac);
  message.set_mtu(interface.mtu);
  message.set_up(interface.up());
  for (const net::Address& address : interface.addresses) {
    v1::NetworkAddress& added = *message.add_addresses();
    added.set_address(fmt::format("{}/{}", address.local, address.prefix_length));
    added.set_scope(static_cast<std::uint32_t>(address.scope));
    added.set_flags(address.flags);
  }
  message.set_parent(ValidUtf8(interface.parent));
  if (!interface.host_end.has_value()) return message;
  message.set_host_name(ValidUtf8(interface.host_end->name));
  message.set_host_mac(interface.host_end->mac);
  if (!interface.host_end->port.has_value()) return message;
  message.set_bridge(ValidUtf8(interface.host_end->port->bridge));
  for (const net::BridgeVlan& vlan : interface.host_end->port->vlans) {
    message.add_vlans(static_cast<std::uint32_t>(vlan.id));
  }
  return message;
}

v1::NetworkRoute ToProto(const net::Route& route) {
  v1::NetworkRoute message;
  message.set_destination(route.destination);
  message.set_gateway(route.gateway);
  message.set_interface(ValidUtf8(route.interface));
  message.set_table(route.table);
  message.set_metric(route.priority);
  message.set_type(static_cast<std::uint32_t>(route.type));
  return message;
}

v1::NetworkRule ToProto(const net::Rule& rule) {
  v1::NetworkRule message;
  message.set_priority(rule.priority);
  message.set_source(rule.source);
  message.set_destination(rule.destination);
  message.set_table(rule.table);
  message.set_action(static_cast<std::uint32_t>(rule.action));
  return message;
}

}  // namespace

v1::OpenSocket ToProto(const OpenSocket& socket) {
  v1::OpenSocket message;
  message.set_protocol(socket.protocol);
  message.set_local(socket.local);
  message.set_peer(socket.peer);
  message.set_state(socket.state);
  message.set_pid(socket.pid);
  return message;
}

v1::Network ToProto(const TreeNetwork& network) {
  v1::Network message;
  const net::Description& description = network.description;
  for (const net::Interface& interface : description.interfaces) {
    *message.add_interfaces() = ToProto(interface);
  }
  for (const net::Route& route : description.routes) *message.add_routes() = ToProto(route);
  for (const net::Rule& rule : description.rules) *message.add_rules() = ToProto(rule);
  for (const net::Neighbour& neighbour : description.neighbours) {
    v1::NetworkNeighbour& added = *message.add_neighbours();
    added.set_interface(ValidUtf8(neighbour.interface));
    added.set_address(neighbour.address);
    added.set_mac(neighbour.mac);
  }
  for (const auto& [path, value] : description.sysctls) {
    (*message.mutable_sysctls())[ValidUtf8(path)] = ValidUtf8(value);
  }
  message.set_path(ValidUtf8(network.path));
  return message;
}

v1::BridgeNetwork ToProto(const NetworkRecord& record) {
  v1::BridgeNetwork message;
  message.set_name(record.name);
  message.set_bridge(ValidUtf8(record.bridge));
  for (const Subnet& subnet : record.subnets) {
    v1::Subnet& added = *message.add_subnets();
    added.set_prefix(subnet.prefix);
    added.set_gateway(subnet.gateway);
  }
  switch (record.origin) {
    case NetworkOrigin::kMade:
      message.set_origin(v1::NETWORK_ORIGIN_MADE);
      break;
    case NetworkOrigin::kTaken:
      message.set_origin(v1::NETWORK_ORIGIN_TAKEN);
      break;
    case NetworkOrigin::kFound:
      message.set_origin(v1::NETWORK_ORIGIN_FOUND);
      break;
  }
  message.set_created_us(record.created_us);
  return message;
}

v1::Reservation ToProto(const ReservationRecord& record) {
  v1::Reservation message;
  message.set_id(record.id.str());
  message.set_network(record.network);
  switch (record.state) {
    case ReservationState::kActive:
      message.set_state(v1::RESERVATION_STATE_ACTIVE);
      break;
    case ReservationState::kHeld:
      message.set_state(v1::RESERVATION_STATE_HELD);
      break;
    case ReservationState::kReleased:
      message.set_state(v1::RESERVATION_STATE_RELEASED);
      break;
  }
  message.set_keeping(record.keeping == Keeping::kHold ? v1::NETWORK_KEEPING_HOLD
                                                       : v1::NETWORK_KEEPING_RELEASE);
  message.set_interface(ValidUtf8(record.interface));
  message.set_host_interface(ValidUtf8(record.host_interface));
  message.set_mac(record.mac);
  for (const std::string& address : record.addresses) message.add_addresses(address);
  message.set_holder(ValidUtf8(record.holder));
  message.set_checkpoint_id(record.checkpoint_id.str());
  message.set_container_id(record.container_id.str());
  message.set_created_us(record.created_us);
  message.set_changed_us(record.changed_us);
  message.set_expires_us(record.expires_us);
  message.set_problem(record.problem);
  return message;
}

}  // namespace crd::rpc
