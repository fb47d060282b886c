#pragma once

#include <functional>

#include "daemon/base/result.h"
#include "daemon/base/unique_fd.h"
#include "daemon/core/requests.h"

namespace crd {

// Opens something for a caller: with the caller's rights to files instead of crd's, which could
// open anything. `open` runs in a thread that ends with what it has become. Its errors are
// annotated with whose rights were not enough.
Result<UniqueFd> OpenAs(const Credentials& user, const std::function<Result<UniqueFd>()>& open);

}  // namespace crd
