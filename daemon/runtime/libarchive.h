#pragma once

#include <memory>
#include <string_view>

#include <archive.h>
#include <archive_entry.h>

#include "daemon/base/error.h"

// libarchive's objects as owned values. For this folder's sources only.
namespace crd::runtime {

inline constexpr std::size_t kArchiveBlock = 64U << 10U;

struct FreeArchive {
  void operator()(archive* one) const { ::archive_free(one); }
};
using Archive = std::unique_ptr<archive, FreeArchive>;
struct FreeEntry {
  void operator()(archive_entry* one) const { ::archive_entry_free(one); }
};
using Entry = std::unique_ptr<archive_entry, FreeEntry>;
struct FreeResolver {
  void operator()(archive_entry_linkresolver* one) const { ::archive_entry_linkresolver_free(one); }
};

// What libarchive says went wrong: kDataLoss, kResourceExhausted if there is no room.
Error Problem(archive* one, std::string_view what);

}  // namespace crd::runtime
