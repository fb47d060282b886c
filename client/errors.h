#pragma once

#include <string>
#include <string_view>

#include <grpcpp/support/status.h>

#include "daemon/base/error.h"

namespace crd::client {

// The reason of everything that keeps crctl from reaching crd.
inline constexpr std::string_view kNoDaemonReason = "NO_DAEMON";

// What crd said (the crd.v1.Error in the details of its status), or, where gRPC itself gave up,
// what that means to the caller. `status` is not OK.
Error FromStatus(const grpc::Status& status);

// As people read it on stderr: "crctl: message", "  hint: …", CRIU's own lines indented below.
std::string Render(const Error& error);

// The exit status that tells of this error: kFailed or kNoDaemon.
int ExitCode(const Error& error);

}  // namespace crd::client
