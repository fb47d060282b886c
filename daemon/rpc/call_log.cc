#include "daemon/rpc/call_log.h"

#include <exception>
#include <string>

#include "daemon/base/clock.h"
#include "daemon/base/log.h"
#include "daemon/rpc/status.h"
#include "daemon/rpc/text.h"

namespace crd::rpc {
namespace {

constexpr std::size_t kMaxMessage = 500;

Result<void> RunGuarded(const CallLog::Handler& handler) {
  try {
    return handler();
  } catch (const std::exception& thrown) {
    return Error::Internal("unexpected: {}", thrown.what());
  }
}

bool IsOurFault(Code code) {
  return code == Code::kUnknown || code == Code::kInternal || code == Code::kDataLoss;
}

grpc::Status RunLogged(const PeerTable& peers, const grpc::ServerContext& context,
                       std::string_view method, spdlog::level::level_enum level,
                       const CallLog::Handler& handler) {
  const auto began = SteadyClock::now();
  // Before the handler runs: a connection that closes is forgotten.
  const std::shared_ptr<const Peer> peer = peers.Lookup(context.peer());
  const std::string uid = peer == nullptr ? "?" : std::to_string(peer->uid);
  const Result<void> done = RunGuarded(handler);
  if (done.ok()) {
    spdlog::log(level, "call={} uid={} us={} code=OK", method, uid, MicrosSince(began));
    return grpc::Status::OK;
  }
  const Error& error = done.error();
  spdlog::log(IsOurFault(error.code) ? spdlog::level::err : level,
              "call={} uid={} us={} code={} reason={} {}", method, uid, MicrosSince(began),
              CodeName(error.code), error.reason, OneLine(error.message, kMaxMessage));
  return ToStatus(error);
}

}  // namespace

grpc::Status CallLog::Query(const grpc::ServerContext& context, std::string_view method,
                            const Handler& handler) const {
  return RunLogged(peers_, context, method, spdlog::level::debug, handler);
}

grpc::Status CallLog::Change(const grpc::ServerContext& context, std::string_view method,
                             const Handler& handler) const {
  return RunLogged(peers_, context, method, spdlog::level::info, handler);
}

}  // namespace crd::rpc
