#include "daemon/core/netns_pins.h"

#include "daemon/base/files.h"
#include "net/bridge.h"
#include "net/describe.h"
#include "net/netns.h"

namespace crd {

Result<void> NetnsPins::Pin(const CheckpointId& id, FdRef netns) {
  TRY(MakeDirectories(directory_));
  return net::PinNetns(netns, Path(id));
}

bool NetnsPins::IsPinned(const CheckpointId& id) const { return net::OpenNetns(Path(id)).ok(); }

Result<void> NetnsPins::Unpin(const CheckpointId& id) { return net::UnpinNetns(Path(id)); }

// The kernel takes veth pairs down with their namespace, but later, and what is locked before that.
Result<void> NetnsPins::Dismantle(const CheckpointId& id) {
  net::Description description;
  const auto netns = net::OpenNetns(Path(id));
  if (netns.ok()) description = TRY(net::Describe(netns->ref()));
  TRY(Unpin(id));
  for (const net::Interface& interface : description.interfaces) {
    if (const auto& end = interface.host_end) TRY(net::RemoveVeth(end->name, end->mac));
  }
  return {};
}

std::vector<CheckpointId> NetnsPins::List() const {
  std::vector<CheckpointId> ids;
  const auto directory = OpenDirectory(directory_);
  if (!directory.ok()) return ids;
  const auto names = ListDirectory(directory->ref());
  if (!names.ok()) return ids;
  for (const std::string& name : *names) ids.emplace_back(name);
  return ids;
}

}  // namespace crd
