#pragma once

#include <api/v1/services.grpc.pb.h>

#include "daemon/core/engine.h"
#include "daemon/rpc/call_log.h"
#include "daemon/rpc/peer.h"

namespace crd::rpc {

class RestoreService final : public v1::RestoreService::Service {
 public:
  RestoreService(Engine& engine, const CallLog& calls, const PeerTable& peers)
      : engine_(engine), calls_(calls), peers_(peers) {}

  grpc::Status Restore(grpc::ServerContext* context, const v1::RestoreRequest* request,
                       grpc::ServerWriter<v1::RestoreResponse>* writer) override;

 private:
  Engine& engine_;
  const CallLog& calls_;
  const PeerTable& peers_;
};

}  // namespace crd::rpc
