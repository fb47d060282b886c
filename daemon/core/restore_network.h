#pragma once

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "daemon/base/clock.h"
#include "daemon/base/result.h"
#include "daemon/base/unique_fd.h"
#include "daemon/core/manifest.h"
#include "daemon/core/network_changes.h"
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
  // Whether the checkpoint can come back so at all. Looks at nothing else.
  static Result<void> CheckChoice(const Manifest& manifest, const NetworkChoice& choice);

  // Finds, or makes, what was chosen, which has been checked; the manifest must outlive this. An
  // outer end of an earlier life that is still being taken down is waited for until `patience`.
  // Connections may be lost if they are to be closed anyway.
  static Result<RestoreNetwork> Prepare(const Manifest& manifest, const NetworkChoice& choice,
                                        bool close_connections, Deadline patience);

  // What would keep the default choice from working now. Makes nothing.
  static Result<void> Check(const Manifest& manifest);

  RestoreNetwork(RestoreNetwork&&) = default;
  RestoreNetwork& operator=(RestoreNetwork&&) = delete;
  ~RestoreNetwork();

  void ApplyTo(criu::RestoreRequest& request) const;
  // In kSetupNamespaces: fills the namespace of `root`, if it is CRIU that makes that.
  Result<void> Fill(pid_t root);
  // Whether anybody else has its addresses: the last veto.
  Result<void> CheckAlone();
  // Lets packets in and out of the namespace of `root`, and tells everybody around; does so once.
  Result<void> Plug(pid_t root);
  void Keep();

 private:
  explicit RestoreNetwork(const TreeNetwork* network) : network_(network) {}
  [[nodiscard]] bool IsMade() const { return network_->for_criu == NetnsForCriu::kMade; }
  Result<void> Reuse();
  Result<void> Change(const Manifest& manifest, const NetworkChanges& changes,
                      bool close_connections);
  Result<void> PrepareToBuild(Deadline patience);
  Result<void> LeaveToCriu(Deadline patience);
  Result<void> Pin(FdRef netns);

  const TreeNetwork* network_;            // null: none of its own
  std::unique_ptr<TreeNetwork> changed_;  // what `network_` points to if it is not as it was
  bool by_criu_ = false;
  bool plugged_ = false;
  bool announced_ = false;  // its addresses are crd's to announce
  UniqueFd joined_;
  std::optional<net::BuiltNamespace> built_;
  std::string pinned_;  // where what was built is bound to; empty: nowhere
  std::optional<net::DuplicateDetection> duplicates_;
  std::vector<net::PacketSocket> announced_by_;
};

}  // namespace crd
