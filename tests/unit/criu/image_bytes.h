#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace crd::criu {

inline std::string LittleEndian(std::uint32_t number) {
  std::string bytes;
  for (int shift = 0; shift < 32; shift += 8) {
    bytes.push_back(static_cast<char>((number >> shift) & 0xffU));
  }
  return bytes;
}

// A file as CRIU writes them.
inline std::string Image(const std::vector<std::uint32_t>& magics,
                         const std::vector<std::string>& records) {
  std::string bytes;
  for (const std::uint32_t magic : magics) bytes += LittleEndian(magic);
  for (const std::string& record : records) {
    bytes += LittleEndian(static_cast<std::uint32_t>(record.size())) + record;
  }
  return bytes;
}

}  // namespace crd::criu
