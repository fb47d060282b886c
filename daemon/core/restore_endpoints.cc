#include "daemon/core/restore_endpoints.h"

#include "daemon/base/log.h"
#include "daemon/core/errors.h"
#include "daemon/core/network_lock.h"
#include "daemon/core/new_addresses.h"
#include "net/build.h"

namespace crd {

// Elsewhere it has addresses of somebody else's choice, and its own stay the checkpoint's.
bool RestoreEndpoints::AreItsOwn() const {
  return choice_.mode == NetworkMode::kDefault || choice_.mode == NetworkMode::kPrepared ||
         choice_.mode == NetworkMode::kCriu;
}

Result<void> RestoreEndpoints::Claim(const ContainerId& container, Update& update) {
  const auto& network = manifest_.network;
  if (!network.has_value() || !AreItsOwn()) return {};
  if (choice_.new_address) {
    choice_.changes = TRY(WithNewAddresses(network->description, request_.network.changes,
                                           parts_.inventory, parts_.networks, update));
    if (choice_.changes == request_.network.changes) {
      return errors::NetworkNotBuilt(checkpoint_.id,
                                     "none of its addresses is in a subnet of its bridges");
    }
  }
  if (choice_.changes.empty()) {
    return parts_.reservations.Claim(network->description, checkpoint_, container, update);
  }
  const TreeNetwork changed =
      TRY(WithChanges(*network, choice_.changes, manifest_.sockets, request_.tcp_close));
  TRY(net::CheckBridges(changed.description));
  return parts_.reservations.Claim(changed.description, checkpoint_, container, update);
}

bool RestoreEndpoints::MayChooseAgain(const Error& why_not_written) const {
  return choice_.new_address && why_not_written.reason == "RESERVATION_CONFLICT";
}

Result<void> RestoreEndpoints::DismantleIfUseless() {
  const bool made_anew =
      manifest_.network && AreItsOwn() && manifest_.network->for_criu == NetnsForCriu::kMade;
  const bool useless = made_anew || !choice_.changes.empty();
  if (!useless || !parts_.pins.IsPinned(checkpoint_.id)) return {};
  return parts_.reservations.LoseNamespace(checkpoint_.id);
}

void RestoreEndpoints::LetGo(const OperationId& operation) {
  if (!AreItsOwn() && parts_.pins.IsPinned(checkpoint_.id)) return;
  ReleaseNetworkLock(parts_.inventory, checkpoint_, LockedNetns(manifest_));
  // From now on it is the tree that keeps its namespace.
  if (auto unpinned = parts_.pins.Unpin(checkpoint_.id); !unpinned.ok())
    spdlog::warn("op={} {}, ignoring until the next start", operation, unpinned.error().message);
}

}  // namespace crd
