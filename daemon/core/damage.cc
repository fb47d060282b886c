#include "daemon/core/damage.h"

#include "daemon/base/log.h"
#include "daemon/core/errors.h"

namespace crd {

Error RecordDamage(Inventory& inventory, const CheckpointId& id,
                   const std::vector<Damage>& damages) {
  std::vector<std::string> texts;
  for (const Damage& damage : damages) texts.push_back(damage.ToString());
  Error error = errors::ImagesDamaged(id, texts);
  const auto changed =
      inventory.ChangeCheckpoint(id, [&](CheckpointRecord& record) -> Result<bool> {
        if (record.state != CheckpointState::kReady) return false;
        TRY(SetState(record.state, CheckpointState::kDamaged));
        record.problem = error.message;
        return true;
      });
  if (!changed.ok()) {
    spdlog::error("checkpoint={} record that it is damaged: {}", id, changed.error().message);
  }
  return error;
}

}  // namespace crd
