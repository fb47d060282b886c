#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "daemon/base/cgroup.h"
#include "daemon/base/children.h"
#include "daemon/core/inventory.h"
#include "daemon/core/ports.h"

namespace crd {

// The trees that run and are watched: of each the root's pidfd, so that it can be signalled without
// mistake and its end is recorded as soon as the kernel tells. Thread-safe; records exits on the
// loop's thread.
class Containers {
 public:
  Containers(Inventory& inventory, Children& children, ExitWatcher& watcher, FdKeeper& keeper,
             const Clock& clock);

  // Watches the root of a container that runs. `cgroup` is removed once everything in it has ended;
  // empty for a tree that crd did not start.
  // `kept`: its pidfd is in the descriptor store already.
  void Watch(const ContainerId& id, PidFd process, std::string cgroup, bool kept = false);

  // Drops the pidfd of a container that is not watched from the descriptor store.
  void ForgetKept(const std::string& name) { keeper_.Forget(name); }

  // While an operation works on a container, its end is not recorded: the operation knows better
  // what it means. Letting go records an end that came meanwhile.
  void Hold(const ContainerId& id);
  void LetGo(const ContainerId& id);

  // Stops watching without recording anything: the tree is in a checkpoint now.
  void Release(const ContainerId& id);

  // CONTAINER_ENDED if it does not run.
  Result<void> Signal(const ContainerRecord& record, int signal);

  // The live container whose root this is; empty if there is none.
  [[nodiscard]] ContainerId FindByPid(const ProcessIdentity& process) const;

  // Removes the cgroups of ended containers that have become empty. Call after reaping.
  void Sweep();

  // Name in the descriptor store: "pidfd.<container id>".
  static std::string KeptName(const ContainerId& id) { return "pidfd." + id.str(); }

 private:
  struct Entry {
    std::shared_ptr<const PidFd> process;
    std::string cgroup;
    bool held = false;
    bool ended = false;
  };
  void OnEnd(const ContainerId& id);
  void AskStatus(const ContainerId& id, std::shared_ptr<const PidFd> process, Deadline patience);
  void RecordEnd(const ContainerId& id, const ExitStatus& status);
  void Drop(const ContainerId& id);

  Inventory& inventory_;
  Children& children_;
  ExitWatcher& watcher_;
  FdKeeper& keeper_;
  const Clock& clock_;
  mutable std::mutex mutex_;
  std::map<ContainerId, Entry> entries_;
  std::vector<std::string> emptying_;  // cgroups whose container has ended
};

}  // namespace crd
