#pragma once

#include <grpcpp/support/status.h>

#include "daemon/base/error.h"

namespace crd::rpc {

// The one place where an Error becomes what a client gets: the canonical code, the message, and as
// error_details the bytes of a serialised crd.v1.Error that holds everything else. Pure.
grpc::Status ToStatus(const Error& error);

// The answer to a call whose client has gone or whose deadline has passed: nobody but the log reads
// it.
Error ClientLeft();

}  // namespace crd::rpc
