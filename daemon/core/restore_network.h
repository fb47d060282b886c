#pragma once

#include <optional>
#include <utility>
#include <vector>

#include "daemon/base/clock.h"
#include "daemon/base/ids.h"
#include "daemon/base/result.h"
#include "daemon/base/unique_fd.h"
#include "daemon/core/requests.h"
#include "daemon/core/tree_network.h"
#include "daemon/criu/criu.h"
#include "net/build.h"
#include "net/presence.h"

namespace crd {

// The network namespace that a tree is restored into. What it made goes with it unless it was kept.
// Belongs to one restore.
class RestoreNetwork {
 public:
  // Finds, or makes, what was chosen. `network` null: the tree shared crd's, and goes on to. An
  // outer end of an earlier life that is still being taken down is waited for until `patience`.
  static Result<RestoreNetwork> Prepare(const CheckpointId& checkpoint,
                                        const std::optional<TreeNetwork>& network,
                                        const NetworkChoice& choice, Deadline patience);

  // What would keep the default choice from working now. Makes nothing.
  static Result<void> Check(const std::optional<TreeNetwork>& network);

  void ApplyTo(criu::RestoreRequest& request) const;
  // Whether anybody else has its addresses: the last veto.
  Result<void> CheckAlone();
  // Lets packets in and out, and tells everybody around.
  Result<void> Plug();
  void Keep() {
    if (built_.has_value()) built_->Keep();
  }

 private:
  explicit RestoreNetwork(const TreeNetwork* network) : network_(network) {}
  Result<void> Reuse();
  Result<void> Build(Deadline patience);

  const TreeNetwork* network_;  // null: none of its own
  bool announced_ = false;      // its addresses are crd's to announce
  UniqueFd joined_;
  std::optional<net::BuiltNamespace> built_;
  std::optional<net::DuplicateDetection> duplicates_;
  std::vector<net::PacketSocket> announced_by_;
};

}  // namespace crd
