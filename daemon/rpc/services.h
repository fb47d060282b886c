#pragma once

#include <vector>

#include "daemon/core/engine.h"
#include "daemon/rpc/call_log.h"
#include "daemon/rpc/checkpoint_service.h"
#include "daemon/rpc/container_service.h"
#include "daemon/rpc/image_service.h"
#include "daemon/rpc/list_service.h"
#include "daemon/rpc/network_service.h"
#include "daemon/rpc/peer.h"
#include "daemon/rpc/restore_service.h"
#include "daemon/rpc/system_service.h"

namespace crd::rpc {

// All services of the API. Thread-safe; the engine and the peers outlive it, and it outlives the
// server.
class Services {
 public:
  Services(Engine& engine, const PeerTable& peers)
      : calls_(peers),
        checkpoint_(engine, calls_),
        restore_(engine, calls_, peers),
        list_(engine, calls_),
        container_(engine, calls_),
        image_(engine, calls_),
        network_(engine, calls_),
        system_(engine, calls_) {}

  [[nodiscard]] std::vector<grpc::Service*> all() {
    return {&checkpoint_, &restore_, &list_, &container_, &image_, &network_, &system_};
  }

 private:
  CallLog calls_;
  CheckpointService checkpoint_;
  RestoreService restore_;
  ListService list_;
  ContainerService container_;
  ImageService image_;
  NetworkService network_;
  SystemService system_;
};

}  // namespace crd::rpc
