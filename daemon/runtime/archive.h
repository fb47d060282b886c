#pragma once

#include "daemon/base/result.h"
#include "daemon/base/unique_fd.h"

namespace crd::runtime {

// Directories as archives that `tar` reads and writes: pax, gzip. With modes, owners, times, hard
// links, device nodes, extended attributes, access lists and holes. Without sockets: whoever binds
// one makes it. Any thread; a thread of its own does the work where the working directory matters.

// Writes the tree to an open, empty file. Does not leave the tree's own file system.
Result<void> WriteArchive(FdRef tree, FdRef file);

// Lays one down in a directory. Archives are hostile input: absolute names and ".." are
// refused (kDataLoss), and no name is followed through a symbolic link.
Result<void> ExtractArchive(FdRef file, FdRef into);

}  // namespace crd::runtime
