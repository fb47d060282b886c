#pragma once

#include <string_view>

#include "daemon/base/going_on.h"
#include "daemon/base/result.h"
#include "daemon/base/unique_fd.h"
#include "daemon/runtime/rootfs_changes.h"

namespace crd::runtime {

// The writable layer of a container's root as a file: tar (pax, zstd), in the form of an OCI
// image's layer. What is gone is an empty file with ".wh." before its name; a directory of which
// nothing that was in it is left has a file ".wh..wh..opq" as its first.

inline constexpr std::string_view kLayerFile = "rootfs-diff.tar.zst";

// Writes what `changes` names in `root` to an open, empty file. ROOTFS_NAME_RESERVED if something
// in the root is called as above. Any thread.
Result<void> WriteLayer(FdRef root, const RootfsChanges& changes, FdRef file,
                        const GoingOn& going_on);

// Lays one down in a root that nobody uses, on its own file system alone: what is mounted in it is
// not looked at. What it leads to is the same however often it is done. Layers are hostile input:
// names that are absolute, have "..", or lead through a link are refused (kDataLoss), and what is
// outside of the root cannot even be seen. An error leaves a part of it there.
Result<void> LayDown(FdRef file, FdRef root, const GoingOn& going_on);

}  // namespace crd::runtime
