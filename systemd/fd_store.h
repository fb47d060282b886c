#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "daemon/base/ids.h"
#include "daemon/base/result.h"
#include "daemon/base/unique_fd.h"

namespace crd::systemd {

// The name of a container's pidfd in the store, and back. Empty for any other name.
[[nodiscard]] std::string PidFdName(const ContainerId& container);
[[nodiscard]] std::optional<ContainerId> ContainerOfPidFd(std::string_view name);

// systemd keeps copies of descriptors for us over a crash or a restart of crd, and passes them to
// the next one (TakeInheritedFds). Needs FileDescriptorStoreMax= in the unit. Where NOTIFY_SOCKET
// was not set at start, every function does nothing and succeeds. Any thread may call the const
// functions as long as nobody changes the environment.
//
// systemd answers nothing: a full store drops the descriptor with a line in systemd's own log. Not
// kept over `systemctl stop` before systemd 254 (FileDescriptorStorePreserve=).
class FdStore {
 public:
  FdStore();

  [[nodiscard]] bool active() const { return active_; }
  // Keeps a copy. FDPOLL=0, since systemd would otherwise drop a pidfd as soon as its process ends,
  // which is when it is needed most. A second descriptor of the same name does not replace the
  // first. Names are those that systemd takes: printable ASCII without ':', at most 255.
  Result<void> Keep(const std::string& name, FdRef fd) const;
  // Drops every descriptor of this name; having none is no error.
  Result<void> Forget(const std::string& name) const;

 private:
  const bool active_;
};

}  // namespace crd::systemd
