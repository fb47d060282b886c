#pragma once

#include <string>
#include <vector>

#include "daemon/base/ids.h"
#include "daemon/base/result.h"
#include "daemon/base/unique_fd.h"

namespace crd {

// The network namespaces of checkpointed trees that are kept as they are: each bound to a file that
// is named after its checkpoint. The mounts outlive crd, not the host. Thread-safe.
class NetnsPins {
 public:
  explicit NetnsPins(const std::string& state_directory) : directory_(state_directory + "/netns") {}

  [[nodiscard]] std::string Path(const CheckpointId& id) const {
    return directory_ + "/" + id.str();
  }
  // Fails if the checkpoint has a pin.
  Result<void> Pin(const CheckpointId& id, FdRef netns);
  [[nodiscard]] bool IsPinned(const CheckpointId& id) const;

  // Leaves the namespace to those who are in it; with nobody there it ends. Having no pin is no
  // error, here and below.
  Result<void> Unpin(const CheckpointId& id);
  // Ends the namespace for good: its veth pairs are gone, and their names free, when it returns.
  Result<void> Dismantle(const CheckpointId& id);

  // Checkpoints for which there is a file, whether a namespace is bound to it or not.
  [[nodiscard]] std::vector<CheckpointId> List() const;

 private:
  std::string directory_;
};

}  // namespace crd
