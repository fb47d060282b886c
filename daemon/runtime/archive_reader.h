#pragma once

#include <functional>

#include "daemon/base/result.h"
#include "daemon/base/unique_fd.h"
#include "daemon/runtime/libarchive.h"

// For this folder's sources only.
namespace crd::runtime {

// Whether an entry is to be laid down; may make room for it.
using BeforeEntry = std::function<Result<bool>(archive_entry* entry)>;

// Lays an archive down in the thread's working directory, which nobody may change meanwhile.
// Archives are hostile input: absolute names and ".." are refused (kDataLoss), and no name is
// followed through a symbolic link.
Result<void> ExtractHere(FdRef file, const BeforeEntry& before);

}  // namespace crd::runtime
