#pragma once

#include <functional>

#include "daemon/base/result.h"

namespace crd {

// Asked by long work between its steps, on the thread that does it: an error ends the work, and is
// its error.
using GoingOn = std::function<Result<void>()>;

}  // namespace crd
