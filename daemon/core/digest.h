#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "daemon/base/result.h"
#include "daemon/base/unique_fd.h"

struct XXH3_state_s;

namespace crd {

// XXH3, 128 bits: tells damaged files from whole ones at memory speed. It does not prove who wrote
// them; the directory's mode does that. Belongs to one thread.
class Digest {
 public:
  static constexpr std::string_view kAlgorithm = "xxh3-128";

  Digest();
  Digest(Digest&& other) noexcept;
  Digest& operator=(Digest&&) = delete;
  Digest(const Digest&) = delete;
  Digest& operator=(const Digest&) = delete;
  ~Digest();

  void Add(const void* data, std::size_t size);
  // Adds what `file` holds from `offset` on; returns the offset that it came to.
  Result<std::uint64_t> AddFile(FdRef file, std::uint64_t offset);
  // 32 lower-case hexadecimal digits of everything added so far.
  [[nodiscard]] std::string Hex() const;

 private:
  XXH3_state_s* state_;
};

std::string DigestOf(std::string_view text);

}  // namespace crd
