#pragma once

#include <memory>
#include <string>
#include <string_view>

#include <grpcpp/channel.h>

#include "daemon/base/clock.h"
#include "daemon/base/result.h"

namespace crd::client {

inline constexpr std::string_view kDefaultAddress = "unix:///run/crd/crd.sock";

// The path in "unix:///run/crd/crd.sock", "unix:/run/crd/crd.sock" or a plain path. Other schemes,
// an empty path and one that is too long for the kernel are refused.
Result<std::string> SocketPath(std::string_view address);

// A channel over a socket that is connected already. So it is known before the first call, by
// errno, why there is no crd, and neither a resolver nor a balancer of gRPC's is started (which
// saves 0.3 ms). The price: once the connection is lost the channel stays useless (every call fails
// with UNAVAILABLE), and a new one has to be made.
//
// Fails with the reason NO_DAEMON: the code is kPermissionDenied where the socket may not be used,
// kUnavailable otherwise. Waits while crd accepts nobody (it is starting, or stuck), but not longer
// than `patience`.
Result<std::shared_ptr<grpc::Channel>> Connect(const std::string& path,
                                               std::chrono::microseconds patience);

}  // namespace crd::client
