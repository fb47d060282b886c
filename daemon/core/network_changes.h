#pragma once

#include <map>
#include <string>
#include <vector>

#include "daemon/base/result.h"
#include "daemon/core/open_socket.h"
#include "daemon/core/tree_network.h"

namespace crd {

// What is to be other than it was: addresses, MACs, bridges, names of veths' ends on the host, each
// by its old name.
using NetworkChanges = std::map<std::string, std::string>;

// A network with these changes. Refuses what is not there (NETWORK_CHANGE_UNKNOWN), what cannot be
// (NETWORK_CHANGE_INVALID), and an address that one of the tree's sockets needs: a connection if
// they are not to be closed (CONNECTION_LOSES_ADDRESS), any that is bound to it
// (SOCKET_LOSES_ADDRESS). Whether the host has room for the new ones is for net::CheckBuildable.
// Pure.
Result<TreeNetwork> WithChanges(const TreeNetwork& network, const NetworkChanges& changes,
                                const std::vector<OpenSocket>& sockets, bool close_connections);

}  // namespace crd
