#pragma once

#include <string>

#include <api/v1/network.pb.h>
#include <api/v1/services.pb.h>
#include <api/v1/types.pb.h>

#include "daemon/core/engine.h"
#include "daemon/core/inventory.h"
#include "daemon/core/manifest.h"
#include "daemon/core/operation.h"
#include "daemon/core/preflight.h"
#include "daemon/core/records.h"
#include "daemon/core/tree_network.h"
#include "daemon/core/verify.h"

namespace crd::rpc {

// Core's values as messages of the wire (api/v1). Pure. All text comes out as valid UTF-8.

// `directory` is left out for a checkpoint that has no images.
v1::Checkpoint ToProto(const CheckpointRecord& record, const std::string& directory);
v1::Network ToProto(const TreeNetwork& network);
v1::BridgeNetwork ToProto(const NetworkRecord& record);
v1::Reservation ToProto(const ReservationRecord& record);
v1::OpenSocket ToProto(const OpenSocket& socket);
v1::Container ToProto(const ContainerRecord& record);
v1::Operation ToProto(const OperationRecord& record);
v1::Progress ToProto(const OperationId& operation, const Progress& progress);
v1::Event ToProto(const Event& event);
v1::Obstacle ToProto(const Obstacle& obstacle);
v1::Obstacle ToProto(const Damage& damage);
v1::InfoResponse ToProto(const EngineInfo& info);
v1::RootfsDiff ToProto(const StoredLayer& layer);
v1::RuntimeContainer ToProto(const RuntimeContainer& container);

// At most `kMaxErrorBytes` serialised: an error travels in HTTP/2 trailers, of which gRPC (1.51)
// takes 8 KiB in all, and drops the whole answer if there is more. What does not fit is cut off,
// log lines from the end.
inline constexpr std::size_t kMaxErrorBytes = 3500;
v1::Error ToProto(const Error& error);

}  // namespace crd::rpc
