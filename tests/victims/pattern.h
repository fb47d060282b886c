#pragma once

#include <cstdint>

namespace crd::victims {

// What both sides of a stream send: what is lost, doubled or swapped shows at once.
inline unsigned char PatternAt(std::uint64_t offset) {
  return static_cast<unsigned char>((offset * 2654435761U) >> 11U);
}

}  // namespace crd::victims
