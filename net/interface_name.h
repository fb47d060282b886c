#pragma once

#include <string>

#include "daemon/base/result.h"

namespace crd::net {

// Whether the kernel lets an interface be called so (IFNAMSIZ with its NUL);
// INTERFACE_NAME_INVALID.
Result<void> CheckInterfaceName(const std::string& name);

}  // namespace crd::net
