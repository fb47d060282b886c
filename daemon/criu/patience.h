#pragma once

#include <chrono>

namespace crd::criu {

// How long CRIU may take over things that the caller's deadline does not cover.
struct Patience {
  std::chrono::milliseconds version{10'000};        // to start and tell its version
  std::chrono::milliseconds cancelled_dump{5'000};  // until it asks again and can be told no
  std::chrono::milliseconds undo{10'000};           // to undo its work once it was told no
  std::chrono::milliseconds finish{30'000};         // to answer once nothing can be undone any more
  std::chrono::milliseconds exit{5'000};            // to end once it has answered
};

}  // namespace crd::criu
