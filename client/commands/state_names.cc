#include "client/commands/state_names.h"

#include <algorithm>
#include <cctype>
#include <string_view>

namespace crd::client {
namespace {

// The name in the .proto file without the prefix that all of its enumeration have.
std::string Lower(const std::string& name, std::string_view prefix, int number) {
  if (name.size() <= prefix.size()) return std::to_string(number);
  std::string lower = name.substr(prefix.size());
  std::transform(lower.begin(), lower.end(), lower.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return lower;
}

}  // namespace

std::string StateName(v1::CheckpointState state) {
  return Lower(v1::CheckpointState_Name(state), "CHECKPOINT_STATE_", state);
}

std::string StateName(v1::ContainerState state) {
  return Lower(v1::ContainerState_Name(state), "CONTAINER_STATE_", state);
}

std::string StateName(v1::OperationState state) {
  return Lower(v1::OperationState_Name(state), "OPERATION_STATE_", state);
}

std::string KindName(v1::OperationKind kind) {
  return Lower(v1::OperationKind_Name(kind), "OPERATION_KIND_", kind);
}

}  // namespace crd::client
