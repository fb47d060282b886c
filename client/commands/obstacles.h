#pragma once

#include <string>

#include <api/v1/types.pb.h>
#include <google/protobuf/repeated_ptr_field.h>

namespace crd::client {

// One obstacle or damage after the other: the process it is about, its name in the catalogue, what
// it is, and what to do about it.
std::string Describe(const google::protobuf::RepeatedPtrField<v1::Obstacle>& obstacles);

}  // namespace crd::client
