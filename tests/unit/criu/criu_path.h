#pragma once

#include <cstdlib>
#include <string>

namespace crd::criu {

// The CRIU that tests use: CRD_CRIU, else where deploy/setup puts it.
inline std::string CriuPath() {
  const char* const named = std::getenv("CRD_CRIU");  // NOLINT(concurrency-mt-unsafe): never set
  return named != nullptr ? named : "/opt/crd/criu/bin/criu";
}

}  // namespace crd::criu
