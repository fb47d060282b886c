#include "systemd/listen_fds.h"

#include <cstdlib>
#include <utility>

#include <sys/socket.h>
#include <systemd/sd-daemon.h>

#include "daemon/base/cleanup.h"

namespace crd::systemd {

Result<InheritedFds> TakeInheritedFds() {
  char** names = nullptr;
  const int count = sd_listen_fds_with_names(/*unset_environment=*/1, &names);
  if (count < 0) return Error::FromErrno(-count, "take the descriptors that systemd passed");
  Cleanup free_names([&] {
    for (int i = 0; names != nullptr && i < count; ++i) std::free(names[i]);
    std::free(names);
  });

  InheritedFds inherited;
  for (int i = 0; i < count; ++i) {
    NamedFd named{.name = names[i], .fd = UniqueFd(SD_LISTEN_FDS_START + i)};
    if (named.name.starts_with(kPidFdPrefix)) {
      inherited.pidfds.push_back(std::move(named));
    } else if (sd_is_socket(named.fd.get(), AF_UNSPEC, SOCK_STREAM, /*listening=*/1) > 0) {
      inherited.listeners.push_back(std::move(named));
    } else {
      inherited.unwanted.push_back(std::move(named.name));
    }
  }
  return inherited;
}

}  // namespace crd::systemd
