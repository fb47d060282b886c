#pragma once

#include <string>

#include <api/v1/types.pb.h>

namespace crd::client {

// States as people read them: "ready". The number of one that a newer crd has added.
std::string StateName(v1::CheckpointState state);
std::string StateName(v1::ContainerState state);
std::string StateName(v1::OperationState state);
std::string KindName(v1::OperationKind kind);

}  // namespace crd::client
