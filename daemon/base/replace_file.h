#pragma once

#include <string>
#include <string_view>

#include "daemon/base/result.h"
#include "daemon/base/unique_fd.h"

namespace crd {

// Atomic, but not durable: readers see the old file or the new one, and after a power cut nobody
// knows which. For what is synced later, together with more, or does not outlive the boot anyway.
// Mode 0600. Any thread.
Result<void> ReplaceFileAt(FdRef directory, const std::string& name, std::string_view content);

}  // namespace crd
