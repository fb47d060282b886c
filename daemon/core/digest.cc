#include "daemon/core/digest.h"

#include <array>
#include <memory>
#include <utility>

#include <xxhash.h>

namespace crd {
namespace {

// Fits into the second-level cache together with what XXH3 keeps.
constexpr std::size_t kChunk = 256U << 10U;

std::string ToHex(const XXH128_hash_t& hash) {
  return fmt::format("{:016x}{:016x}", hash.high64, hash.low64);
}

}  // namespace

Digest::Digest() : state_(XXH3_createState()) { XXH3_128bits_reset(state_); }
Digest::Digest(Digest&& other) noexcept : state_(std::exchange(other.state_, nullptr)) {}
Digest::~Digest() { XXH3_freeState(state_); }

void Digest::Add(const void* data, std::size_t size) { XXH3_128bits_update(state_, data, size); }

Result<std::uint64_t> Digest::AddFile(FdRef file, std::uint64_t offset) {
  const auto buffer = std::make_unique_for_overwrite<char[]>(kChunk);
  for (;;) {
    const ssize_t got = ::pread(file.get(), buffer.get(), kChunk, static_cast<off_t>(offset));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return Error::Errno("read to compute its digest");
    if (got == 0) return offset;
    Add(buffer.get(), static_cast<std::size_t>(got));
    offset += static_cast<std::uint64_t>(got);
  }
}

std::string Digest::Hex() const { return ToHex(XXH3_128bits_digest(state_)); }

std::string DigestOf(std::string_view text) {
  return ToHex(XXH3_128bits(text.data(), text.size()));
}

}  // namespace crd
