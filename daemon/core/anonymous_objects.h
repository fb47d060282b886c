#pragma once

#include <optional>
#include <vector>

#include "daemon/base/proc.h"
#include "daemon/core/descriptors.h"
#include "daemon/core/obstacles.h"
#include "daemon/core/process_tree.h"

namespace crd {

// Objects of the kernel that have no name in any file system: eventfd, epoll, inotify, pidfd …
// `all` are the descriptors of the same process. Empty if CRIU can dump this one.
std::optional<Error> CheckAnonymousObject(const ProcessTree& tree, const TreeProcess& process,
                                          const proc::ProcDir& directory,
                                          const std::vector<Descriptor>& all,
                                          const Descriptor& descriptor);

}  // namespace crd
