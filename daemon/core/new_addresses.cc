#include "daemon/core/new_addresses.h"

#include <map>
#include <set>
#include <string>
#include <utility>

#include "daemon/core/network_errors.h"
#include "daemon/core/subnets.h"
#include "net/presence.h"

namespace crd {
namespace {

class AddressChooser {
 public:
  AddressChooser(Inventory& inventory, Networks& networks, Update& update)
      : inventory_(inventory), networks_(networks), update_(update) {}

  Result<void> Choose(const net::Interface& interface, NetworkChanges& changes) {
    if (!interface.host_end.has_value() || !interface.host_end->port.has_value()) return {};
    net::Interface moved = interface;
    net::BridgePort& port = *moved.host_end->port;
    if (const auto other = changes.find(port.bridge); other != changes.end()) {
      port.bridge = other->second;
    }
    const NetworkRecord network = TRY(networks_.Recognise(port, update_));
    for (const net::Address& address : interface.addresses) {
      const Subnet* subnet = FindSubnet(network.subnets, address.local);
      if (subnet == nullptr || changes.contains(address.local)) continue;
      std::set<std::string>& taken = *TRY(TakenIn(network));
      taken.insert(address.local);
      moved.addresses = {address};
      changes[address.local] = TRY(ChooseIn(*subnet, network, moved, taken));
    }
    return {};
  }

 private:
  Result<std::set<std::string>*> TakenIn(const NetworkRecord& network) {
    const auto [found, is_new] = taken_.try_emplace(network.name);
    if (is_new) {
      const auto reserved = TRY(inventory_.ListReservedAddresses(network.name));
      found->second.insert(reserved.begin(), reserved.end());
    }
    return &found->second;
  }

  // `asking` is the interface that it is for.
  static Result<std::string> ChooseIn(const Subnet& subnet, const NetworkRecord& network,
                                      net::Interface& asking, std::set<std::string>& taken) {
    for (;;) {
      std::string chosen = FirstFree(subnet, taken);
      if (chosen.empty()) return errors::NoAddressFree(network.name);
      taken.insert(chosen);
      asking.addresses.front().local = chosen;
      auto detection = net::DuplicateDetection::Start({.interfaces = {asking}});
      const auto alone = detection.ok() ? detection->Finish() : Result<void>(detection.error());
      if (alone.ok()) return chosen;
      if (alone.error().reason != "ADDRESS_IN_USE") return alone.error();
    }
  }

  Inventory& inventory_;
  Networks& networks_;
  Update& update_;
  std::map<std::string, std::set<std::string>> taken_;  // by the network's name
};

}  // namespace

Result<NetworkChanges> WithNewAddresses(const net::Description& description, NetworkChanges changes,
                                        Inventory& inventory, Networks& networks, Update& update) {
  AddressChooser chooser(inventory, networks, update);
  for (const net::Interface& interface : description.interfaces) {
    TRY(chooser.Choose(interface, changes));
  }
  return changes;
}

}  // namespace crd
