#include "net/loopback.h"

#include <cstring>

#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "net/netns.h"

namespace crd::net {

Result<void> BringLoopbackUp(FdRef netns) {
  return RunInNetns(netns, []() -> Result<void> {
    const UniqueFd socket(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    if (!socket.valid()) return Error::Errno("make a socket to configure lo");
    ifreq request{};
    std::strncpy(request.ifr_name, "lo", sizeof request.ifr_name - 1);
    if (::ioctl(socket.get(), SIOCGIFFLAGS, &request) != 0) return Error::Errno("look at lo");
    request.ifr_flags |= IFF_UP;
    if (::ioctl(socket.get(), SIOCSIFFLAGS, &request) != 0) return Error::Errno("bring lo up");
    return {};
  });
}

}  // namespace crd::net
