#include "daemon/core/network_json.h"

#include <type_traits>

#include "daemon/core/json.h"

namespace crd {
namespace {

using net::Address;
using net::BridgePort;
using net::BridgeVlan;
using net::Description;
using net::HostEnd;
using net::Interface;
using net::Neighbour;
using net::Route;
using net::Rule;
using nlohmann::json;

// Goes over the members of one value, once for both directions: what is written is what is read.
class Writer {
 public:
  template <typename T>
  void Member(const char* name, const T& value, const T& fallback) {
    if (value != fallback) object_[name] = value;
  }
  template <typename T>
  void List(const char* name, const std::vector<T>& items);
  template <typename T>
  void Optional(const char* name, const std::optional<T>& item);
  template <typename T>
  void Whole(const char* name, const T& value) {
    if (!value.empty()) object_[name] = value;
  }
  json&& Take() && { return std::move(object_); }

 private:
  json object_ = json::object();
};

class Reader {
 public:
  explicit Reader(const json& object) : object_(object) {}
  template <typename T>
  void Member(const char* name, T& value, const T& fallback) {
    Keep(crd::Member<T>(object_, name, fallback), value);
  }
  template <typename T>
  void List(const char* name, std::vector<T>& items);
  template <typename T>
  void Optional(const char* name, std::optional<T>& item);
  // A container of plain values, which nlohmann checks; the text has passed its digest.
  template <typename T>
  void Whole(const char* name, T& value) {
    const auto found = object_.find(name);
    if (found == object_.end()) return;
    try {
      value = found->template get<T>();
    } catch (const json::exception& error) {
      failed_ = Error{.code = Code::kDataLoss,
                      .message = fmt::format("'{}' has the wrong type: {}", name, error.what())};
    }
  }
  [[nodiscard]] const std::optional<Error>& failed() const { return failed_; }

 private:
  template <typename T>
  void Keep(Result<T> result, T& value) {
    if (result.ok()) {
      value = std::move(*result);
    } else {
      failed_ = std::move(result).error();
    }
  }
  const json& object_;
  std::optional<Error> failed_;
};

template <typename Visitor, typename Value>
void Visit(Visitor& v, Value& a) requires std::is_same_v<std::remove_const_t<Value>, Address> {
  const Address none;
  v.Member("local", a.local, none.local);
  v.Member("prefix_length", a.prefix_length, none.prefix_length);
  v.Member("peer", a.peer, none.peer);
  v.Member("broadcast", a.broadcast, none.broadcast);
  v.Member("label", a.label, none.label);
  v.Member("scope", a.scope, none.scope);
  v.Member("flags", a.flags, none.flags);
  v.Member("route_priority", a.route_priority, none.route_priority);
  v.Member("preferred_s", a.preferred_s, none.preferred_s);
  v.Member("valid_s", a.valid_s, none.valid_s);
}

template <typename Visitor, typename Value>
void Visit(Visitor& v, Value& r) requires std::is_same_v<std::remove_const_t<Value>, Route> {
  const Route none;
  v.Member("destination", r.destination, none.destination);
  v.Member("source", r.source, none.source);
  v.Member("table", r.table, none.table);
  v.Member("protocol", r.protocol, none.protocol);
  v.Member("scope", r.scope, none.scope);
  v.Member("type", r.type, none.type);
  v.Member("tos", r.tos, none.tos);
  v.Member("flags", r.flags, none.flags);
  v.Member("gateway", r.gateway, none.gateway);
  v.Member("interface", r.interface, none.interface);
  v.Member("preferred_source", r.preferred_source, none.preferred_source);
  v.Member("priority", r.priority, none.priority);
  v.Member("expires_s", r.expires_s, none.expires_s);
  v.Member("preference", r.preference, none.preference);
  v.Whole("metrics", r.metrics);
}

template <typename Visitor, typename Value>
void Visit(Visitor& v, Value& r) requires std::is_same_v<std::remove_const_t<Value>, Rule> {
  const Rule none;
  v.Member("family", r.family, none.family);
  v.Member("priority", r.priority, none.priority);
  v.Member("action", r.action, none.action);
  v.Member("table", r.table, none.table);
  v.Member("source", r.source, none.source);
  v.Member("destination", r.destination, none.destination);
  v.Member("in_interface", r.in_interface, none.in_interface);
  v.Member("out_interface", r.out_interface, none.out_interface);
  v.Member("tos", r.tos, none.tos);
  v.Member("mark", r.mark, none.mark);
  v.Member("mask", r.mask, none.mask);
  v.Member("flags", r.flags, none.flags);
  v.Member("suppress_prefix_length", r.suppress_prefix_length, none.suppress_prefix_length);
  v.Member("protocol", r.protocol, none.protocol);
}

template <typename Visitor, typename Value>
void Visit(Visitor& v, Value& n) requires std::is_same_v<std::remove_const_t<Value>, Neighbour> {
  const Neighbour none;
  v.Member("interface", n.interface, none.interface);
  v.Member("address", n.address, none.address);
  v.Member("mac", n.mac, none.mac);
  v.Member("flags", n.flags, none.flags);
}

template <typename Visitor, typename Value>
void Visit(Visitor& v, Value& b) requires std::is_same_v<std::remove_const_t<Value>, BridgeVlan> {
  const BridgeVlan none;
  v.Member("id", b.id, none.id);
  v.Member("pvid", b.pvid, none.pvid);
  v.Member("untagged", b.untagged, none.untagged);
}

template <typename Visitor, typename Value>
void Visit(Visitor& v, Value& p) requires std::is_same_v<std::remove_const_t<Value>, BridgePort> {
  const BridgePort none;
  v.Member("bridge", p.bridge, none.bridge);
  v.Whole("bridge_addresses", p.bridge_addresses);
  v.List("vlans", p.vlans);
  v.Member("hairpin", p.hairpin, none.hairpin);
  v.Member("isolated", p.isolated, none.isolated);
}

template <typename Visitor, typename Value>
void Visit(Visitor& v, Value& e) requires std::is_same_v<std::remove_const_t<Value>, HostEnd> {
  const HostEnd none;
  v.Member("name", e.name, none.name);
  v.Member("mac", e.mac, none.mac);
  v.Member("mtu", e.mtu, none.mtu);
  v.Member("up", e.up, none.up);
  v.Optional("port", e.port);
  v.List("addresses", e.addresses);
  v.List("routes", e.routes);
}

template <typename Visitor, typename Value>
void Visit(Visitor& v, Value& i) requires std::is_same_v<std::remove_const_t<Value>, Interface> {
  const Interface none;
  v.Member("name", i.name, none.name);
  v.Member("index", i.index, none.index);
  v.Member("kind", i.kind, none.kind);
  v.Member("mac", i.mac, none.mac);
  v.Member("mtu", i.mtu, none.mtu);
  v.Member("flags", i.flags, none.flags);
  v.Member("alias", i.alias, none.alias);
  v.Member("transmit_queue", i.transmit_queue, none.transmit_queue);
  v.Member("address_generation", i.address_generation, none.address_generation);
  v.List("addresses", i.addresses);
  v.Optional("host_end", i.host_end);
  v.Member("parent", i.parent, none.parent);
  v.Member("mode", i.mode, none.mode);
}

template <typename Visitor, typename Value>
void Visit(Visitor& v, Value& d) requires std::is_same_v<std::remove_const_t<Value>, Description> {
  v.List("interfaces", d.interfaces);
  v.List("routes", d.routes);
  v.List("rules", d.rules);
  v.List("neighbours", d.neighbours);
  v.Whole("sysctls", d.sysctls);
  v.Whole("unreproducible", d.unreproducible);
}

template <typename T>
json Written(const T& value) {
  Writer writer;
  Visit(writer, value);
  return std::move(writer).Take();
}

template <typename T>
void Writer::List(const char* name, const std::vector<T>& items) {
  for (const T& item : items) object_[name].push_back(Written(item));
}

template <typename T>
void Writer::Optional(const char* name, const std::optional<T>& item) {
  if (item.has_value()) object_[name] = Written(*item);
}

template <typename T>
Result<T> Read(const json& object) {
  T value;
  Reader reader(object);
  Visit(reader, value);
  if (reader.failed().has_value()) return *reader.failed();
  return value;
}

template <typename T>
void Reader::List(const char* name, std::vector<T>& items) {
  std::vector<json> objects;
  Keep(crd::Member<std::vector<json>>(object_, name, {}), objects);
  for (const json& object : objects) Keep(Read<T>(object), items.emplace_back());
}

template <typename T>
void Reader::Optional(const char* name, std::optional<T>& item) {
  if (object_.contains(name)) Keep(Read<T>(object_[name]), item.emplace());
}

}  // namespace

json ToJson(const Description& description) { return Written(description); }

Result<Description> NetworkFromJson(const json& object) { return Read<Description>(object); }

}  // namespace crd
