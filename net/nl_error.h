#pragma once

#include <string_view>

#include "daemon/base/error.h"

namespace crd::net {

// What a function of libnl returned (a negative NLE_*), as an error. Any thread.
Error NlError(int nl_error, std::string_view what);

}  // namespace crd::net
