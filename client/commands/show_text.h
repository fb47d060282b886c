#pragma once

#include <string>

#include <api/v1/types.pb.h>

namespace crd::client {

// Everything about one object, for people.
std::string Describe(const v1::Checkpoint& checkpoint);
std::string Describe(const v1::Container& container);
std::string Describe(const v1::Operation& operation);

}  // namespace crd::client
