#pragma once

#include <functional>
#include <string>
#include <vector>

#include "daemon/base/result.h"
#include "daemon/runtime/bundle.h"
#include "daemon/runtime/mount_table.h"
#include "daemon/runtime/saved_container.h"

namespace crd::runtime {

// Tells whether a mountpoint of the container is a directory.
using IsDirectory = std::function<bool(const std::string& mountpoint)>;

// Decides for each mount of a running container whether CRIU makes it anew or gets it from the
// host, by the keys that its runtime uses: a bind mount is called like its destination, and so is
// with crun what masks a file, which runc calls "/dev/null" (runc 1.1, crun 1.21). Goes by what is
// mounted and looks only for sources into config.json: a runtime mounts more than it says, and a
// client may have mounted since.
//
// MOUNT_UNSUPPORTED for one whose source cannot be told. Pure.
Result<std::vector<SavedMount>> PlanMounts(Kind runtime, const Bundle& bundle,
                                           const std::vector<MountEntry>& container,
                                           const std::vector<MountEntry>& host,
                                           const IsDirectory& is_directory);

}  // namespace crd::runtime
