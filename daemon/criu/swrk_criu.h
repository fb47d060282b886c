#pragma once

#include <memory>
#include <string>

#include "daemon/base/children.h"
#include "daemon/criu/criu.h"
#include "daemon/criu/session.h"

namespace crd::criu {
