#include "daemon/rpc/server.h"

#include <algorithm>
#include <chrono>
#include <limits>
#include <utility>

#include <fmt/format.h>
#include <grpc/support/time.h>
#include <grpcpp/ext/proto_server_reflection_plugin.h>
#include <grpcpp/health_check_service_interface.h>
#include <grpcpp/resource_quota.h>
#include <grpcpp/server_builder.h>
#include <grpcpp/server_posix.h>

#include "daemon/rpc/quiet_grpc.h"

namespace crd::rpc {
namespace {

constexpr int kNever = std::numeric_limits<int>::max();
// Clients that ping more often while nothing goes on are cut off; Go's clients do not by default.
constexpr int kFastestPingMillis = 10'000;

gpr_timespec ToGrpc(Deadline deadline) {
  if (deadline == kNoDeadline) return gpr_inf_future(GPR_CLOCK_MONOTONIC);
  const auto left = std::max(deadline - SteadyClock::now(), SteadyClock::duration::zero());
  const auto millis = std::chrono::ceil<std::chrono::milliseconds>(left).count();
  return gpr_time_add(gpr_now(GPR_CLOCK_MONOTONIC), gpr_time_from_millis(millis, GPR_TIMESPAN));
}

// One queue and two threads that wait on it: one takes a call while the other waits, and neither
// has to be started for it. The threads of further calls end with them. The timeout is the longest
// that fits (24 days); at the default of 10 s both would wake up to look around.
void BoundThreads(grpc::ServerBuilder& builder, const ServerOptions& options) {
  using Option = grpc::ServerBuilder::SyncServerOption;
  builder.SetSyncServerOption(Option::NUM_CQS, 1);
  builder.SetSyncServerOption(Option::MIN_POLLERS, 1);
  builder.SetSyncServerOption(Option::MAX_POLLERS, 2);
  builder.SetSyncServerOption(Option::CQ_TIMEOUT_MSEC, kNever);
  grpc::ResourceQuota quota("crd");
  quota.SetMaxThreads(options.max_threads);
  builder.SetResourceQuota(quota);
}

// Neither pings nor bandwidth estimates: both are for networks, and both set timers.
void BoundConnections(grpc::ServerBuilder& builder, const ServerOptions& options) {
  builder.SetMaxReceiveMessageSize(options.max_request_bytes);
  builder.AddChannelArgument(GRPC_ARG_MAX_CONCURRENT_STREAMS, options.max_streams);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIME_MS, kNever);
  builder.AddChannelArgument(GRPC_ARG_HTTP2_BDP_PROBE, 0);
  builder.AddChannelArgument(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS,
                             kFastestPingMillis);
}

}  // namespace

Result<std::unique_ptr<Server>> Server::Start(const ServerOptions& options, PeerTable& peers,
                                              const std::vector<grpc::Service*>& services) {
  if (options.quiet) UseQuietEventEngine();
  grpc::EnableDefaultHealthCheckService(false);
  grpc::reflection::InitProtoReflectionServerBuilderPlugin();

  std::unique_ptr<Server> server(new Server(options, peers));
  grpc::ServerBuilder builder;
  BoundThreads(builder, options);
  BoundConnections(builder, options);
  builder.RegisterService(&server->health_);
  for (grpc::Service* service : services) builder.RegisterService(service);
  server->server_ = builder.BuildAndStart();
  if (server->server_ == nullptr) return Error::Internal("start the gRPC server: gRPC refused");
  if (options.quiet) StopGrpcTimers();
  return server;
}

Server::~Server() { Shutdown(SteadyClock::now()); }

Result<void> Server::AddConnection(UniqueFd socket, Peer peer) {
  if (peers_.size() >= options_.max_connections) {
    return Error{.code = Code::kResourceExhausted,
                 .message = fmt::format("connection of process {} closed: there are {} already",
                                        peer.pid, peers_.size())};
  }
  UniqueFd numbered = TRY(peers_.Add(std::move(socket), std::move(peer)));
  grpc::AddInsecureChannelFromFd(server_.get(), numbered.release());
  return {};
}

void Server::Shutdown(Deadline deadline) {
  health_.SetServing(false);
  if (server_ != nullptr) server_->Shutdown(ToGrpc(deadline));
}

}  // namespace crd::rpc
