#pragma once

#include "daemon/base/result.h"
#include "daemon/core/engine_parts.h"
#include "daemon/core/inventory.h"
#include "daemon/core/manifest.h"
#include "daemon/core/requests.h"

namespace crd {

// What a restore does about the endpoints that its checkpoint holds: they become the container's,
// as they were or with the changes that were asked for. Belongs to one restore, which the
// checkpoint and its manifest outlive.
class RestoreEndpoints {
 public:
  RestoreEndpoints(const EngineParts& parts, const Manifest& manifest,
                   const CheckpointRecord& checkpoint, const RestoreRequest& request)
      : parts_(parts), manifest_(manifest), checkpoint_(checkpoint), request_(request) {}

  // What was chosen; once they are claimed, with the new addresses that were asked for.
  [[nodiscard]] const NetworkChoice& choice() const { return choice_; }

  // Adds the claim to the update by which the restore begins. ADDRESS_HELD and the like.
  Result<void> Claim(const ContainerId& container, Update& update);
  // Whether to try again, as others were quicker to take the new addresses.
  [[nodiscard]] bool MayChooseAgain(const Error& why_not_written) const;
  // A namespace that was kept as it was is of no use to who comes back changed, or with another
  // user namespace: once that is recorded it is dismantled, and only the record holds what is not
  // claimed.
  Result<void> DismantleIfUseless();

  // Once the tree has come to life: what kept its network for it goes.
  void LetGo(const OperationId& operation);

 private:
  [[nodiscard]] bool AreItsOwn() const;

  const EngineParts& parts_;
  const Manifest& manifest_;
  const CheckpointRecord& checkpoint_;
  const RestoreRequest& request_;
  NetworkChoice choice_ = request_.network;
};

}  // namespace crd
