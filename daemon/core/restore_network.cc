#include "daemon/core/restore_network.h"

#include "daemon/base/log.h"
#include "daemon/core/errors.h"
#include "net/netns.h"

namespace crd {

Result<RestoreNetwork> RestoreNetwork::Prepare(const CheckpointId& checkpoint,
                                               const std::optional<TreeNetwork>& network,
                                               const NetworkChoice& choice, Deadline patience) {
  if (choice.mode == NetworkMode::kCriu) return errors::NetworkModeUnsupported("criu");
  if (!network.has_value()) {
    if (choice.mode != NetworkMode::kDefault) return errors::NetworkNotItsOwn(checkpoint);
    return RestoreNetwork(nullptr);
  }
  RestoreNetwork prepared(&*network);
  switch (choice.mode) {
    case NetworkMode::kDefault:
    case NetworkMode::kPrepared:
      TRY(prepared.Reuse());
      if (!prepared.joined_.valid()) TRY(prepared.Build(patience));
      break;
    case NetworkMode::kNone:
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

Result<void> RestoreNetwork::Check(const std::optional<TreeNetwork>& network) {
  if (!network.has_value()) return {};
  RestoreNetwork tried(&*network);
  TRY(tried.Reuse());
  if (tried.joined_.valid()) return {};
  return net::CheckBuildable(network->description, SteadyClock::now());
}

// The namespace itself may have been kept by somebody.
Result<void> RestoreNetwork::Reuse() {
  if (network_->path.empty()) return {};
  auto kept = net::OpenNetns(network_->path);
  if (!kept.ok()) return {};
  if (!TRY(IsSameNetwork(*network_, kept->ref()))) return {};
  joined_ = std::move(*kept);
  announced_ = true;
  return {};
}

Result<void> RestoreNetwork::Build(Deadline patience) {
  TRY(net::CheckBuildable(network_->description, patience));
  duplicates_ = TRY(net::DuplicateDetection::Start(network_->description));
  built_.emplace(TRY(net::BuiltNamespace::Build(network_->description)));
  announced_ = true;
  return {};
}

void RestoreNetwork::ApplyTo(criu::RestoreRequest& request) const {
  if (network_ == nullptr) return;
  request.inherit.emplace_back(kNetworkKey, built_.has_value() ? built_->netns() : joined_.ref());
}

Result<void> RestoreNetwork::CheckAlone() {
  return duplicates_.has_value() ? duplicates_->Finish() : Result<void>();
}

Result<void> RestoreNetwork::Plug() {
  if (built_.has_value()) TRY(built_->Plug());
  if (!announced_) return {};
  const FdRef netns = built_.has_value() ? built_->netns() : joined_.ref();
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
