#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/base/result.h"
#include "daemon/base/unique_fd.h"

namespace crd::criu {

// Files of CRIU's: little-endian 32-bit magics, then records of a 32-bit length and a protobuf
// message each. Hostile input: lengths are checked against the file, at most 16 MiB of it is read.
//
// Fails with kDataLoss, naming the file, when it is missing or no file, when the magics are others,
// when it ends within a record, or when there are more records than `limit`. The strings are the
// raw messages.
Result<std::vector<std::string>> ReadRecords(FdRef directory, const std::string& name,
                                             const std::vector<std::uint32_t>& magics,
                                             std::size_t limit);

// Writes such a file anew, in place of the one that is there. Atomic, not synced.
Result<void> WriteRecords(FdRef directory, const std::string& name,
                          const std::vector<std::uint32_t>& magics,
                          const std::vector<std::string>& records);

Error DamagedFile(const std::string& name, std::string_view why);

}  // namespace crd::criu
