#pragma once

#include <optional>

#include "daemon/base/result.h"
#include "daemon/core/ending_network.h"
#include "daemon/core/engine_parts.h"
#include "daemon/core/manifest.h"
#include "daemon/core/preflight.h"
#include "daemon/core/requests.h"
#include "daemon/core/tcp_pause.h"
#include "daemon/criu/criu.h"

namespace crd {

// The network's side of one checkpoint: the namespace that the tree has for itself, who keeps its
// addresses, and what the peers of its connections notice. What it is made of must outlive it.
class DumpNetwork {
 public:
  DumpNetwork(const EngineParts& parts, const CheckpointRequest& request,
              const Preflight& preflight)
      : parts_(parts), request_(request), preflight_(preflight) {}

  // Whether this container may hold the endpoints; ADDRESS_HELD and the like. Changes nothing.
  [[nodiscard]] Result<void> Check(const ContainerId& container) const;

  // This must outlive the request.
  Result<void> ApplyTo(criu::DumpRequest& request);
  // In kNetworkLock, if the tree's connections are to outlive it: lets their peers wait.
  void BeginPause();
  // In kNetworkUnlock, of a dump that failed: the tree goes on.
  void EndPause() const;

  // Describes the namespace again, as the tree is frozen now, and binds it where it is to be held.
  // NETWORK_CHANGED, and what CheckReproducible() refuses.
  Result<void> DescribeIn(Manifest& manifest, const CheckpointRecord& checkpoint);
  // CRIU's lock, which stays; empty if none does. A held namespace's lets neighbours be answered.
  [[nodiscard]] Result<std::string> LockThatStays(const Manifest& manifest, FdRef images) const;
  // Adds to the update that makes the checkpoint ready what it holds.
  Result<void> HoldIn(Update& update, const Manifest& manifest, const CheckpointRecord& checkpoint);
  // Once that is written.
  void OnCommitted(const Manifest& manifest, const CheckpointRecord& checkpoint);

  // Once the tree has ended: its links, before CRIU's lock goes with the namespace.
  void Dismantle();
  // Of a checkpoint that came to nothing: the tree goes on in its namespace. Logs what it cannot.
  void Undo(const CheckpointId& checkpoint) const;

 private:
  [[nodiscard]] bool SavedByCriu() const {
    return request_.options.network == criu::NetworkSaving::kCriu;
  }
  [[nodiscard]] bool KeepsConnections() const {
    const bool restorable =
        !preflight_.network || preflight_.network->for_criu != NetnsForCriu::kEntered;
    return request_.options.tcp_established && !request_.options.leave_running && restorable;
  }
  Result<void> Pin(TreeNetwork& network, const CheckpointRecord& checkpoint);

  const EngineParts& parts_;
  const CheckpointRequest& request_;
  const Preflight& preflight_;
  UniqueFd entered_;  // by CRIU
  bool pinned_ = false;
  std::optional<TcpPause> pause_;
  std::optional<EndingNetwork> ending_;
};

}  // namespace crd
