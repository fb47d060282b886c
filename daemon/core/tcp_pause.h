#pragma once

#include <vector>

#include "daemon/base/clock.h"
#include "daemon/core/process_tree.h"
#include "net/tcp_peers.h"

namespace crd {

// What crd says to the peers of a tree's TCP connections around the time that the tree is away
// (ARCHITECTURE.md, "The pause of a connection"). Best effort: what fails is logged, and costs the
// peers a wait. For one dump or one restore.
class TcpPause {
 public:
  // Of a tree that is stopped, whole or still being restored.
  static TcpPause Of(const ProcessTree& tree);

  // Lets the peers wait. Before CRIU's lock, so that what is on its way is still acknowledged: what
  // is in flight when a window closes is sent again at growing intervals that nobody can shorten.
  void Begin() const;
  // Lets them go on that waited for this long.
  void End(WallMicros away) const;

 private:
  std::vector<net::TcpConnection> connections_;
  UniqueFd netns_;
};

}  // namespace crd
