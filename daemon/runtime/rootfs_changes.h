#pragma once

#include <string>
#include <vector>

#include "daemon/base/going_on.h"
#include "daemon/base/result.h"
#include "daemon/base/unique_fd.h"

namespace crd::runtime {

// What is different in a container's root from what it was made of. Sockets are no difference:
// whoever binds one makes it.
struct RootfsChange {
  enum class How {
    kThere,   // it is new, or not as it was; of a directory itself, not what is in it
    kOpaque,  // a directory like that, of which nothing that was in it is left
    kGone,
  };
  std::string path;  // within the root; "." is the root itself
  How how = How::kThere;
  bool operator==(const RootfsChange&) const = default;
};
// A directory comes before what is in it, and each path once. The directories above a change are
// always in it, for their times.
using RootfsChanges = std::vector<RootfsChange>;

// Those that an overlay's upper directory holds, as the overlay shows them (`merged`, its root).
// `mark_prefix`: of the extended attributes by which it marks files, "trusted.overlay." or, of one
// mounted with userxattr, "user.overlay.". Any thread.
Result<RootfsChanges> ReadOverlayChanges(FdRef upper, FdRef merged, const std::string& mark_prefix,
                                         const GoingOn& going_on);

}  // namespace crd::runtime
