#pragma once

#include <functional>
#include <string_view>

#include <grpcpp/server_context.h>
#include <grpcpp/support/status.h>

#include "daemon/base/result.h"
#include "daemon/rpc/peer.h"

namespace crd::rpc {

// What every call goes through: turns what the handler says into a status, lets no exception out,
// and logs who called what, how long it took and what came of it, in one line. Thread-safe.
class CallLog {
 public:
  using Handler = std::function<Result<void>()>;

  // `peers` must outlive it.
  explicit CallLog(const PeerTable& peers) : peers_(peers) {}

  // Runs `handler` on the calling thread. `method` is "Service.Method". Failures that are crd's own
  // fault are logged as errors, other queries as debug, what changes something as info.
  [[nodiscard]] grpc::Status Query(const grpc::ServerContext& context, std::string_view method,
                                   const Handler& handler) const;
  [[nodiscard]] grpc::Status Change(const grpc::ServerContext& context, std::string_view method,
                                    const Handler& handler) const;

 private:
  const PeerTable& peers_;
};

}  // namespace crd::rpc
