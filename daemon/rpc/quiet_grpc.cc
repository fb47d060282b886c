#include "daemon/rpc/quiet_grpc.h"

#include <grpcpp/version_info.h>

#if GRPC_CPP_VERSION_MAJOR == 1 && GRPC_CPP_VERSION_MINOR == 51
#include <memory>

#include "daemon/rpc/quiet_event_engine.h"
#endif

// gRPC's own, from src/core/lib/iomgr/timer_manager.h: it stops the thread around a fork(). It is
// no part of the API and gone in later releases: weak, so that its absence is found out here.
__attribute__((weak)) void grpc_timer_manager_set_threading(bool enabled);

namespace crd::rpc {

void UseQuietEventEngine() {
#if GRPC_CPP_VERSION_MAJOR == 1 && GRPC_CPP_VERSION_MINOR == 51
  grpc_event_engine::experimental::SetEventEngineFactory(
      [] { return std::make_unique<QuietEventEngine>(); });
#endif
}

void StopGrpcTimers() {
  if (grpc_timer_manager_set_threading != nullptr) grpc_timer_manager_set_threading(false);
}

}  // namespace crd::rpc
