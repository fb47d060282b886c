#include "daemon/rpc/caller_descriptors.h"

#include <cerrno>

#include "daemon/base/proc.h"
#include "daemon/core/errors.h"

namespace crd::rpc {

Result<StdioFromCaller> TakeDescriptors(const Peer* peer) {
  if (peer == nullptr || peer->process == nullptr) return errors::CallerGone();
  std::vector<UniqueFd> descriptors;
  for (const int fd : {0, 1, 2}) {
    auto copy = proc::CopyDescriptor(peer->process->ref(), fd);
    if (!copy.ok() && copy.error().sys_errno == ENOENT) {
      return errors::InvalidRequest(fmt::format("the caller has closed its descriptor {}", fd),
                                    "open /dev/null in its place");
    }
    if (!copy.ok()) return errors::CallerGone();
    descriptors.push_back(std::move(*copy));
  }
  return StdioFromCaller{.descriptors =
                             std::make_shared<const std::vector<UniqueFd>>(std::move(descriptors))};
}

}  // namespace crd::rpc
