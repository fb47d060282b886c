#pragma once

#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/base/clock.h"
#include "daemon/base/result.h"
#include "daemon/core/inventory.h"
#include "net/description.h"

namespace crd {

struct NetworkRequest {
  std::string name;
  std::string bridge;
  std::vector<std::string> subnets;   // prefixes; empty: those of the bridge
  std::vector<std::string> gateways;  // each in one of the subnets; the bridge's own if not given
};

// The networks that crd knows: bridges of its own network namespace, with their subnets.
// Thread-safe.
class Networks {
 public:
  Networks(Inventory& inventory, const Clock& clock) : inventory_(inventory), clock_(clock) {}

  // Takes the bridge as it is, or makes it where there is none: up, with the gateways as its
  // addresses, by default the first of each subnet. INVALID_NAME, INTERFACE_NAME_INVALID,
  // SUBNET_INVALID, SUBNETS_OVERLAP, SUBNETS_NEEDED, ADDRESS_OUTSIDE_SUBNET, NETWORK_EXISTS,
  // NOT_A_BRIDGE, BRIDGE_OF_ANOTHER_SUBNET.
  Result<NetworkRecord> Create(const NetworkRequest& request);

  // And the bridge, if crd made it. NETWORK_NOT_FOUND; NETWORK_IN_USE while somebody has an address
  // of it or, of a bridge that is to go, is plugged in.
  Result<void> Remove(const std::string& name);

  Result<std::vector<NetworkRecord>> List() { return inventory_.ListNetworks(); }
  // NETWORK_NOT_FOUND.
  Result<NetworkRecord> Find(std::string_view name) { return inventory_.FindNetwork(name); }

  // The network that a port of a bridge belongs to. One that nobody told crd of is recognised: it
  // is put into `update`, under the bridge's name.
  Result<NetworkRecord> Recognise(const net::BridgePort& port, Update& update);

  // A bridge of crd's that has gone, as after a restart of the host, is made again. Best effort:
  // what fails is logged.
  void RemakeBridges(const std::vector<NetworkRecord>& networks);

 private:
  Result<void> TakeBridge(const NetworkRequest& request, NetworkRecord& record);
  Result<void> RefuseUsed(const NetworkRecord& record);

  Inventory& inventory_;
  const Clock& clock_;
  std::mutex mutex_;  // of those who make and remove
};

}  // namespace crd
