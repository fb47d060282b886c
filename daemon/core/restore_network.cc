#include "daemon/core/restore_network.h"

#include "daemon/base/files.h"
#include "daemon/base/log.h"
#include "daemon/core/errors.h"
#include "net/loopback.h"
#include "net/netns.h"
#include "net/refusals.h"

namespace crd {

namespace {

// A container's that had nothing but its loopback is CRIU's and the container's to make: there is
// nothing to choose.
Result<void> CheckModeWithoutNetwork(const Manifest& manifest, NetworkMode mode) {
  const bool empty = manifest.container.has_value() && manifest.container->own_network;
  const bool as_it_was = mode == NetworkMode::kPrepared || mode == NetworkMode::kNone;
  if (mode == NetworkMode::kDefault || (empty && as_it_was)) return {};
  if (empty) return errors::NetworkEmpty(manifest.checkpoint.id);
  return errors::NetworkNotItsOwn(manifest.checkpoint.id);
}

bool IsSavedByCriu(const Manifest& manifest) {
  return manifest.network.has_value() &&
         manifest.checkpoint.options.network == criu::NetworkSaving::kCriu;
}

}  // namespace

Result<void> RestoreNetwork::CheckChoice(const Manifest& manifest, const NetworkChoice& choice) {
  const CheckpointId& id = manifest.checkpoint.id;
  const bool by_criu = IsSavedByCriu(manifest);
  const bool is_default = choice.mode == NetworkMode::kDefault;
  if (choice.mode == NetworkMode::kCriu && !by_criu) return errors::NetworkNotSavedByCriu(id);
  if (by_criu && !is_default && choice.mode != NetworkMode::kCriu) {
    return errors::NetworkSavedByCriu(id);
  }
  if (!manifest.network.has_value()) TRY(CheckModeWithoutNetwork(manifest, choice.mode));
  const bool elsewhere = choice.mode == NetworkMode::kHost || choice.mode == NetworkMode::kNetns;
  if (elsewhere && manifest.network && manifest.network->for_criu == NetnsForCriu::kMade) {
    return errors::NetworkOfUsers(id);
  }
  const bool built = manifest.network.has_value() && !by_criu &&
                     (is_default || choice.mode == NetworkMode::kPrepared);
  if ((choice.new_address || !choice.changes.empty()) && !built) {
    return errors::NetworkNotBuilt(id, "crd does not build it");
  }
  return {};
}

Result<RestoreNetwork> RestoreNetwork::Prepare(const Manifest& manifest,
                                               const NetworkChoice& choice, bool close_connections,
                                               Deadline patience) {
  if (!manifest.network.has_value()) return RestoreNetwork(nullptr);
  RestoreNetwork prepared(&*manifest.network);
  if (IsSavedByCriu(manifest)) {
    TRY(prepared.LeaveToCriu(patience));
    return prepared;
  }
  switch (choice.mode) {
    case NetworkMode::kDefault:
    case NetworkMode::kPrepared:
      if (choice.changes.empty()) {
        TRY(prepared.Reuse());
      } else {
        TRY(prepared.Change(manifest, choice.changes, close_connections));
      }
      if (!prepared.joined_.valid()) TRY(prepared.PrepareToBuild(patience));
      break;
    case NetworkMode::kNone:
      if (prepared.network_->for_criu != NetnsForCriu::kMade)
        prepared.joined_ = TRY(net::MakeEmptyNetns());
      break;
    case NetworkMode::kHost:
      prepared.joined_ = TRY(net::OpenNetns("/proc/thread-self/ns/net"));
      break;
    case NetworkMode::kNetns:
      prepared.joined_ = TRY(net::OpenNetns(choice.path));
      break;
    case NetworkMode::kCriu:
      break;
  }
  return prepared;
}

Result<void> RestoreNetwork::Check(const Manifest& manifest) {
  if (!manifest.network.has_value()) return {};
  if (IsSavedByCriu(manifest)) {
    return net::CheckHost(manifest.network->description, SteadyClock::now());
  }
  // One that is held goes before its links are made again.
  if (manifest.network->for_criu == NetnsForCriu::kMade &&
      net::OpenNetns(manifest.network->path).ok()) {
    return net::CheckBridges(manifest.network->description);
  }
  RestoreNetwork tried(&*manifest.network);
  TRY(tried.Reuse());
  if (tried.joined_.valid()) return {};
  return net::CheckBuildable(manifest.network->description, SteadyClock::now());
}

RestoreNetwork::~RestoreNetwork() {
  if (pinned_.empty()) return;
  if (auto unpinned = net::UnpinNetns(pinned_); !unpinned.ok()) {
    spdlog::warn("{}, ignoring", unpinned.error().message);
  }
}

void RestoreNetwork::Keep() {
  pinned_.clear();
  if (built_.has_value()) built_->Keep();
}

// The namespace itself may have been kept by somebody.
Result<void> RestoreNetwork::Reuse() {
  if (network_->path.empty() || IsMade()) return {};
  auto kept = net::OpenNetns(network_->path);
  if (!kept.ok()) {
    const bool gone = kept.error().code == Code::kNotFound;
    return gone || !network_->joined ? Result<void>() : std::move(kept).error();
  }
  const bool same = TRY(IsSameNetwork(*network_, kept->ref()));
  if (!same && !network_->joined) return {};
  joined_ = std::move(*kept);
  announced_ = same;
  return {};
}

Result<void> RestoreNetwork::Change(const Manifest& manifest, const NetworkChanges& changes,
                                    bool close_connections) {
  if (!network_->path.empty() && net::OpenNetns(network_->path).ok()) {
    return errors::NetworkNotBuilt(
        manifest.checkpoint.id,
        fmt::format("its namespace is still there, at '{}'", network_->path));
  }
  changed_ = std::make_unique<TreeNetwork>(
      TRY(WithChanges(*network_, changes, manifest.sockets, close_connections)));
  network_ = changed_.get();
  return {};
}

// CRIU makes the veth pairs, too; on the host's side they are crd's.
Result<void> RestoreNetwork::LeaveToCriu(Deadline patience) {
  TRY(net::CheckHost(network_->description, patience));
  duplicates_ = TRY(net::DuplicateDetection::Start(network_->description));
  by_criu_ = true;
  announced_ = true;
  return {};
}

Result<void> RestoreNetwork::PrepareToBuild(Deadline patience) {
  // Of a process that is gone: nobody can make such a path again.
  if (network_->joined && network_->path.starts_with("/proc/")) {
    return net::refusal::NetnsNotFound(network_->path);
  }
  TRY(net::CheckBuildable(network_->description, patience));
  duplicates_ = TRY(net::DuplicateDetection::Start(network_->description));
  announced_ = true;
  if (!IsMade()) built_.emplace(TRY(net::BuiltNamespace::Build(network_->description)));
  return {};
}

Result<void> RestoreNetwork::Fill(pid_t root) {
  if (network_ == nullptr || !IsMade() || by_criu_) return {};
  UniqueFd netns = TRY(net::OpenNetns(fmt::format("/proc/{}/ns/net", root)));
  // Put elsewhere, it has nothing but that.
  if (!announced_) return net::BringLoopbackUp(netns.ref());
  built_.emplace(TRY(net::BuiltNamespace::BuildIn(network_->description, std::move(netns))));
  return {};
}

// Where its runtime, and whoever made the one that is gone, will look for it. As late as can be: a
// crd that dies before leaves nothing that the next restore would take for somebody's.
Result<void> RestoreNetwork::Pin(FdRef netns) {
  const std::string& path = network_->path;
  TRY(MakeDirectories(path.substr(0, path.rfind('/'))));
  TRY(net::PinNetns(netns, path));
  pinned_ = path;
  return {};
}

void RestoreNetwork::ApplyTo(criu::RestoreRequest& request) const {
  if (network_ == nullptr) return;
  if (by_criu_) {
    for (const net::Interface& interface : network_->description.interfaces) {
      if (!interface.host_end.has_value()) continue;
      request.external.push_back(
          fmt::format("veth[{}]:{}", interface.name, interface.host_end->name));
    }
    return;
  }
  const FdRef netns = built_.has_value() ? built_->netns() : joined_.ref();
  switch (network_->for_criu) {
    case NetnsForCriu::kGiven:
      request.inherit.emplace_back(network_->key, netns);
      break;
    case NetnsForCriu::kMade:
      request.empty_netns = true;
      break;
    case NetnsForCriu::kEntered:
      request.namespaces.push_back(netns);
      break;
  }
}

Result<void> RestoreNetwork::CheckAlone() {
  return duplicates_.has_value() ? duplicates_->Finish() : Result<void>();
}

Result<void> RestoreNetwork::Plug(pid_t root) {
  if (network_ == nullptr || plugged_) return {};
  plugged_ = true;
  if (by_criu_) joined_ = TRY(net::OpenNetns(fmt::format("/proc/{}/ns/net", root)));
  const FdRef netns = built_.has_value() ? built_->netns() : joined_.ref();
  if (by_criu_) TRY(net::AdoptOuterEnds(network_->description));
  if (built_.has_value()) TRY(built_->Plug());
  if (network_->joined && (by_criu_ || built_.has_value())) TRY(Pin(netns));
  if (!announced_) return {};
  // Without it they learn when they next send, or ask.
  auto told = net::Announce(network_->description, netns);
  if (told.ok()) {
    announced_by_ = std::move(*told);
  } else {
    spdlog::warn("announce a restored tree's addresses: {}, ignoring", told.error().message);
  }
  return {};
}

}  // namespace crd
