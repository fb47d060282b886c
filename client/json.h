#pragma once

#include <string>

#include <google/protobuf/message.h>

namespace crd::client {

// A message of the API as one line of JSON, without the line end: names as in the .proto files,
// fields without presence also when they are 0 or empty, 64-bit numbers as strings (as protobuf's
// JSON mapping has it).
std::string ToJson(const google::protobuf::Message& message);

}  // namespace crd::client
