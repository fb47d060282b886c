#include "net/refusals.h"

#include <fmt/ranges.h>

namespace crd::net::refusal {
namespace {

Error Refuse(const char* reason, std::string message, const char* hint) {
  return {.code = Code::kFailedPrecondition,
          .reason = reason,
          .message = std::move(message),
          .hint = hint};
}

}  // namespace

Error NetnsNotFound(std::string_view path) {
  return {.code = Code::kNotFound,
          .reason = "NETNS_NOT_FOUND",
          .message = fmt::format("there is no network namespace at '{}'", path),
          .hint = "make it first, or let crd make one (--network prepared)"};
}

Error NotANetworkNamespace(std::string_view path) {
  return {.code = Code::kInvalidArgument,
          .reason = "NOT_A_NETWORK_NAMESPACE",
          .message = fmt::format("'{}' is not a network namespace", path),
          .hint = "give the path of one, like /run/netns/NAME or /proc/PID/ns/net"};
}

Error NetworkUnreproducible(const std::vector<std::string>& what) {
  return Refuse(
      "NETWORK_UNREPRODUCIBLE",
      fmt::format("its network namespace cannot be made again: {}", fmt::join(what, "; ")),
      "remove that, or restore into a namespace that has it, with --network netns=PATH");
}

Error InterfaceNameInvalid(std::string_view name) {
  return {.code = Code::kInvalidArgument,
          .reason = "INTERFACE_NAME_INVALID",
          .message = fmt::format("'{}' cannot name an interface", name),
          .hint = "use 1 to 15 bytes without '/', ':' and blanks; not '.' or '..'"};
}

Error HostInterfaceTaken(std::string_view name, std::string_view kind) {
  return Refuse("HOST_INTERFACE_TAKEN",
                fmt::format("the name '{}' of the veth's end on the host belongs to another "
                            "interface ({})",
                            name, kind.empty() ? "hardware" : kind),
                "remove or rename that interface; if it is the tree's own, whose namespace "
                "somebody keeps, give that with --network netns=PATH");
}

Error BridgeGone(std::string_view bridge, std::string_view interface) {
  return Refuse(
      "BRIDGE_GONE",
      fmt::format("'{}' was a port of the bridge '{}', which is not there", interface, bridge),
      "make the bridge again, or restore with --network none or netns=PATH");
}

Error NotABridge(std::string_view name, std::string_view kind) {
  return Refuse("NOT_A_BRIDGE",
                fmt::format("'{}' was a bridge and is {} now", name,
                            kind.empty() ? std::string("hardware") : fmt::format("a {}", kind)),
                "make the bridge again, or restore with --network none or netns=PATH");
}

Error BridgeOfAnotherSubnet(std::string_view bridge, std::string_view address,
                            const std::vector<std::string>& subnets) {
  return Refuse(
      "BRIDGE_OF_ANOTHER_SUBNET",
      fmt::format("address {} belonged to the subnet of bridge '{}', which has {} now", address,
                  bridge, subnets.empty() ? "none" : fmt::format("{}", fmt::join(subnets, ", "))),
      "give the bridge its address back, or restore with --network none or netns=PATH");
}

Error ParentGone(std::string_view parent, std::string_view interface) {
  return Refuse(
      "PARENT_GONE",
      fmt::format("'{}' was on top of the interface '{}', which is not there", interface, parent),
      "bring that interface back, or restore with --network none or netns=PATH");
}

Error MacInUse(std::string_view mac, std::string_view holder) {
  return Refuse("MAC_IN_USE", fmt::format("MAC {} is in use already: {}", mac, holder),
                "end what uses it: two interfaces with one MAC would take each other's packets");
}

Error AddressInUse(std::string_view address, std::string_view mac, std::string_view where) {
  return Refuse(
      "ADDRESS_IN_USE",
      fmt::format("address {} is in use already: {} answers for it on '{}'", address, mac, where),
      "end what uses it: connections to the restored tree would go there");
}

}  // namespace crd::net::refusal
