#include "daemon/core/network_lock.h"

#include <sys/stat.h>

#include "daemon/base/log.h"
#include "daemon/criu/images.h"
#include "net/nft_lock.h"

namespace crd {

Result<std::string> NetworkLockOf(pid_t root, FdRef images) {
  struct stat ours {};
  struct stat theirs {};
  const std::string path = fmt::format("/proc/{}/ns/net", root);
  if (::stat("/proc/self/ns/net", &ours) != 0 || ::stat(path.c_str(), &theirs) != 0) {
    return Error::Errno("compare the network namespace of process {} with crd's", root);
  }
  if (ours.st_ino != theirs.st_ino) return std::string();
  return net::NetworkLockName(TRY(criu::ReadInventory(images)).dump_run_id);
}

void ReleaseNetworkLock(Inventory& inventory, const CheckpointRecord& checkpoint) {
  if (checkpoint.network_lock.empty()) return;
  if (auto removed = net::RemoveNetworkLock(checkpoint.network_lock); !removed.ok()) {
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
