#include "daemon/core/network_lock.h"

#include "daemon/base/log.h"
#include "daemon/criu/images.h"
#include "net/netns.h"
#include "net/nft_lock.h"

namespace crd {

namespace {

Result<void> Remove(const std::string& lock, const std::string& netns_path) {
  if (netns_path.empty()) return net::RemoveNetworkLock(lock);
  const auto netns = net::OpenNetns(netns_path);
  // What is not there any more has taken its lock along.
  if (!netns.ok()) return {};
  return net::RemoveNetworkLock(lock, netns->ref());
}

}  // namespace

std::string LockedNetns(const Manifest& manifest) {
  return manifest.network ? manifest.network->path : "";
}

Result<std::string> NetworkLockOf(const Manifest& manifest, FdRef images) {
  const bool ends_with_tree = manifest.network
                                  ? manifest.network->path.empty()
                                  : manifest.container && manifest.container->own_network;
  if (ends_with_tree) return std::string();
  return net::NetworkLockName(TRY(criu::ReadInventory(images)).dump_run_id);
}

Result<void> OpenLockForNeighbours(const std::string& lock, const std::string& netns_path) {
  const UniqueFd netns = TRY(net::OpenNetns(netns_path));
  return net::LetNeighboursThrough(lock, netns.ref());
}

void ReleaseNetworkLock(Inventory& inventory, const CheckpointRecord& checkpoint,
                        const std::string& netns_path) {
  if (checkpoint.network_lock.empty()) return;
  if (auto removed = Remove(checkpoint.network_lock, netns_path); !removed.ok()) {
    spdlog::warn("checkpoint={} remove its network lock: {}, ignoring", checkpoint.id,
                 removed.error().message);
    return;
  }
  const auto noted =
      inventory.ChangeCheckpoint(checkpoint.id, [](CheckpointRecord& record) -> Result<bool> {
        record.network_lock.clear();
        return true;
      });
  if (!noted.ok())
    spdlog::warn("checkpoint={} note that its lock is gone: {}, ignoring", checkpoint.id,
                 noted.error().message);
}

}  // namespace crd
