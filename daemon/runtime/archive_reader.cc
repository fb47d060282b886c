#include "daemon/runtime/archive_reader.h"

#include <cerrno>

namespace crd::runtime {
namespace {

Result<void> CopyContent(archive* in, archive* out) {
  for (;;) {
    const void* block = nullptr;
    std::size_t size = 0;
    std::int64_t offset = 0;
    const int read = ::archive_read_data_block(in, &block, &size, &offset);
    if (read == ARCHIVE_EOF) return {};
    if (read != ARCHIVE_OK) return Problem(in, "read an archive");
    if (::archive_write_data_block(out, block, size, offset) < ARCHIVE_OK) {
      return Problem(out, "write from an archive");
    }
  }
}

}  // namespace

Error Problem(archive* one, std::string_view what) {
  const char* why = ::archive_error_string(one);
  const int number = ::archive_errno(one);
  const bool full = number == ENOSPC || number == EDQUOT;
  return {.code = full ? Code::kResourceExhausted : Code::kDataLoss,
          .message = fmt::format("{}: {}", what, why == nullptr ? "no reason given" : why)};
}

Result<void> ExtractHere(FdRef file, const BeforeEntry& before) {
  const Archive in(::archive_read_new());
  ::archive_read_support_filter_gzip(in.get());
  ::archive_read_support_filter_zstd(in.get());
  ::archive_read_support_format_tar(in.get());
  if (::archive_read_open_fd(in.get(), file.get(), kArchiveBlock) != ARCHIVE_OK) {
    return Problem(in.get(), "open an archive");
  }
  const Archive out(::archive_write_disk_new());
  ::archive_write_disk_set_options(
      out.get(), ARCHIVE_EXTRACT_OWNER | ARCHIVE_EXTRACT_PERM | ARCHIVE_EXTRACT_TIME |
                     ARCHIVE_EXTRACT_ACL | ARCHIVE_EXTRACT_XATTR | ARCHIVE_EXTRACT_UNLINK |
                     ARCHIVE_EXTRACT_SPARSE | ARCHIVE_EXTRACT_SECURE_SYMLINKS |
                     ARCHIVE_EXTRACT_SECURE_NODOTDOT | ARCHIVE_EXTRACT_SECURE_NOABSOLUTEPATHS);
  for (archive_entry* entry = nullptr;;) {
    const int next = ::archive_read_next_header(in.get(), &entry);
    if (next == ARCHIVE_EOF) break;
    if (next != ARCHIVE_OK) return Problem(in.get(), "read an archive");
    if (::archive_entry_pathname(entry) == nullptr) {
      return Error{.code = Code::kDataLoss, .message = "an archive has something without a name"};
    }
    if (!TRY(before(entry))) continue;
    if (::archive_write_header(out.get(), entry) != ARCHIVE_OK) {
      return Problem(out.get(), fmt::format("make {}", ::archive_entry_pathname(entry)));
    }
    if (::archive_entry_size(entry) > 0) TRY(CopyContent(in.get(), out.get()));
    // Asked for by itself: the next header would only tell of what is fatal.
    if (::archive_write_finish_entry(out.get()) != ARCHIVE_OK) {
      return Problem(out.get(), fmt::format("make {}", ::archive_entry_pathname(entry)));
    }
  }
  if (::archive_write_close(out.get()) != ARCHIVE_OK) return Problem(out.get(), "write an archive");
  return {};
}

}  // namespace crd::runtime
