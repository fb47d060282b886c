#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "daemon/base/error.h"

namespace crd::net::refusal {

// The catalogue's part for networks: one function per refusal, and the only place where their
// codes, names (Error::reason, stable) and sentences are. Pure.

// Namespaces.
Error NetnsNotFound(std::string_view path);
Error NotANetworkNamespace(std::string_view path);
// It has what cannot be made again; `what` is Description::unreproducible.
Error NetworkUnreproducible(const std::vector<std::string>& what);

// What a description asks of this host and cannot have.
Error InterfaceNameInvalid(std::string_view name);
Error HostInterfaceTaken(std::string_view name, std::string_view kind);
Error BridgeGone(std::string_view bridge, std::string_view interface);
Error NotABridge(std::string_view name, std::string_view kind);
Error BridgeOfAnotherSubnet(std::string_view bridge, std::string_view address,
                            const std::vector<std::string>& subnets);
Error ParentGone(std::string_view parent, std::string_view interface);
// `holder` says where the MAC is: "interface 'x'", or a port of the bridge.
Error MacInUse(std::string_view mac, std::string_view holder);
Error AddressInUse(std::string_view address, std::string_view mac, std::string_view where);

}  // namespace crd::net::refusal
