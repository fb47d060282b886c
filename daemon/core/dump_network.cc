#include "daemon/core/dump_network.h"

#include <fmt/format.h>

#include "daemon/base/log.h"
#include "daemon/core/errors.h"
#include "daemon/core/network_lock.h"
#include "net/netns.h"

namespace crd {

Result<void> DumpNetwork::Check(const ContainerId& container) const {
  if (!preflight_.network) return {};
  return parts_.reservations.CheckHold(preflight_.network->description, container);
}

Result<void> DumpNetwork::ApplyTo(criu::DumpRequest& request) {
  if (!preflight_.network || SavedByCriu()) return {};
  switch (preflight_.network->for_criu) {
    case NetnsForCriu::kGiven:
      request.external.push_back(ExternalNetwork(*preflight_.network));
      break;
    case NetnsForCriu::kMade:
      request.empty_netns = true;
      break;
    case NetnsForCriu::kEntered:
      entered_ = TRY(net::OpenNetns(fmt::format("/proc/{}/ns/net", request.pid)));
      request.namespaces.push_back(entered_.ref());
      // One that was made meanwhile could not be restored either (target.cc).
      request.options.tcp_established = false;
      break;
  }
  return {};
}

void DumpNetwork::BeginPause() {
  if (!KeepsConnections()) return;
  pause_ = TcpPause::Of(preflight_.tree);
  pause_->Begin();
}

void DumpNetwork::EndPause() const {
  if (pause_) pause_->End(0);
}

// Again: what the tree had of its network when it was frozen is what belongs to its memory.
Result<void> DumpNetwork::DescribeIn(Manifest& manifest, const CheckpointRecord& checkpoint) {
  if (!preflight_.network) return {};
  auto network = TRY(ReadTreeNetwork(checkpoint.pid));
  if (!network || network->inode != preflight_.network->inode)
    return errors::NetworkChanged(checkpoint.pid);
  network->path = preflight_.network->path;
  network->joined = preflight_.network->joined;
  network->for_criu = preflight_.network->for_criu;
  network->key = preflight_.network->key;
  TRY(CheckReproducible(*network, request_.options.network));
  TRY(Pin(*network, checkpoint));
  manifest.network = std::move(network);
  return {};
}

// It is the path by which the namespace is found again, unless somebody keeps it himself.
Result<void> DumpNetwork::Pin(TreeNetwork& network, const CheckpointRecord& checkpoint) {
  // One that CRIU makes again would find its names taken.
  if (request_.keeping != Keeping::kHold || request_.options.leave_running || SavedByCriu() ||
      !network.path.empty() || !Reservations::HasEndpoints(network.description)) {
    return {};
  }
  const UniqueFd netns = TRY(net::OpenNetns(fmt::format("/proc/{}/ns/net", checkpoint.pid)));
  TRY(parts_.pins.Pin(checkpoint.id, netns.ref()));
  pinned_ = true;
  network.path = parts_.pins.Path(checkpoint.id);
  return {};
}

Result<std::string> DumpNetwork::LockThatStays(const Manifest& manifest, FdRef images) const {
  if (!KeepsConnections()) return std::string();
  std::string lock = TRY(NetworkLockOf(manifest, images));
  if (pinned_) TRY(OpenLockForNeighbours(lock, LockedNetns(manifest)));
  return lock;
}

Result<void> DumpNetwork::HoldIn(Update& update, const Manifest& manifest,
                                 const CheckpointRecord& checkpoint) {
  if (!manifest.network) return {};
  return parts_.reservations.Hold(manifest.network->description,
                                  {.checkpoint = checkpoint,
                                   .keeping = pinned_ ? Keeping::kHold : Keeping::kRelease,
                                   .runs_on = request_.options.leave_running,
                                   .reserve_for = request_.reserve_for},
                                  update);
}

void DumpNetwork::OnCommitted(const Manifest& manifest, const CheckpointRecord& checkpoint) {
  if (!manifest.network) return;
  if (request_.options.tcp_established && manifest.network->path.empty())
    ending_.emplace(checkpoint.pid, manifest.network->description);
  if (request_.reserve_for.count() > 0)
    parts_.reservations.ScheduleExpiry(parts_.clock.Wall() + request_.reserve_for.count());
}

void DumpNetwork::Dismantle() {
  if (ending_) ending_->Dismantle();
}

void DumpNetwork::Undo(const CheckpointId& checkpoint) const {
  if (!pinned_) return;
  if (auto unpinned = parts_.pins.Unpin(checkpoint); !unpinned.ok()) {
    spdlog::warn("checkpoint={} {}, ignoring until the next start", checkpoint,
                 unpinned.error().message);
  }
}

}  // namespace crd
