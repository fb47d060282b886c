#include "daemon/runtime/archive_writer.h"

#include <algorithm>
#include <utility>

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "daemon/runtime/libarchive.h"
#include "daemon/runtime/xattrs.h"

namespace crd::runtime {
namespace {

constexpr std::int64_t kBlock = std::int64_t{kArchiveBlock};

// What holes hold: in big pieces, for a file may have a hole of many TiB. Takes no memory.
class Zeros {
 public:
  static constexpr std::int64_t kSize = std::int64_t{1} << 30;
  Zeros()
      : data_(::mmap(nullptr, kSize, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1,
                     0)) {}
  Zeros(const Zeros&) = delete;
  Zeros& operator=(const Zeros&) = delete;
  ~Zeros() {
    if (valid()) ::munmap(data_, kSize);
  }
  [[nodiscard]] bool valid() const { return data_ != MAP_FAILED; }
  [[nodiscard]] const char* data() const { return static_cast<const char*>(data_); }

 private:
  void* data_;
};

Result<void> PutTarget(FdRef directory, const std::string& name, archive_entry* entry) {
  std::string target(kArchiveBlock, '\0');
  const ssize_t size = ::readlinkat(directory.get(), name.c_str(), target.data(), target.size());
  if (size < 0) return Error::Errno("read link '{}'", name);
  target.resize(static_cast<std::size_t>(size));
  ::archive_entry_copy_symlink(entry, target.c_str());
  return {};
}

// Of what cannot be opened.
Result<void> PutXattrs(FdRef directory, const std::string& name, archive_entry* entry) {
  for (const auto& [key, value] : TRY(ReadXattrs(directory, name))) {
    ::archive_entry_xattr_add_entry(entry, key.c_str(), value.data(), value.size());
  }
  return {};
}

}  // namespace

struct ArchiveWriter::Parts {
  Result<void> Fill(FdRef directory, const std::string& name, const std::string& path,
                    const struct stat& status, archive_entry* entry, UniqueFd& file) const;
  Result<void> PutContent(archive_entry* entry, FdRef file, const std::string& path);

  Archive out{::archive_write_new()};
  Archive disk{::archive_read_disk_new()};
  std::unique_ptr<archive_entry_linkresolver, FreeResolver> links{
      ::archive_entry_linkresolver_new()};
  GoingOn going_on;
  std::string block = std::string(kArchiveBlock, '\0');
  const Zeros zeros;
};

Result<void> ArchiveWriter::Parts::Fill(FdRef directory, const std::string& name,
                                        const std::string& path, const struct stat& status,
                                        archive_entry* entry, UniqueFd& file) const {
  // Nothing else is opened: a FIFO would wait for its other end, a device might do anything.
  if (S_ISREG(status.st_mode) || S_ISDIR(status.st_mode)) {
    file.reset(::openat(directory.get(), name.c_str(),
                        O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOATIME | O_CLOEXEC));
    if (!file.valid()) return Error::Errno("open '{}'", path);
    ::archive_entry_copy_pathname(entry, path.c_str());
    if (::archive_read_disk_entry_from_file(disk.get(), entry, file.get(), &status) != ARCHIVE_OK) {
      return Problem(disk.get(), "look at " + path);
    }
  } else {
    ::archive_entry_copy_stat(entry, &status);
    if (S_ISLNK(status.st_mode)) TRY(PutTarget(directory, name, entry));
    TRY(PutXattrs(directory, name, entry));
  }
  ::archive_entry_copy_pathname(entry, path.c_str());
  return {};
}

// The format leaves out the holes that it knows of; here they are not even read.
Result<void> ArchiveWriter::Parts::PutContent(archive_entry* entry, FdRef file,
                                              const std::string& path) {
  const std::int64_t size = ::archive_entry_size(entry);
  std::int64_t hole_until = 0;
  for (std::int64_t at = 0; at < size;) {
    if (at >= hole_until) {
      const off_t data = ::lseek(file.get(), at, SEEK_DATA);
      hole_until = data >= 0 ? data : (errno == ENXIO ? size : at);
    }
    std::int64_t got = std::min(Zeros::kSize, std::min(hole_until, size) - at);
    const char* from = zeros.data();
    if (got <= 0) {
      from = block.data();
      got = ::pread(file.get(), block.data(), static_cast<std::size_t>(std::min(kBlock, size - at)),
                    at);
      hole_until = at + got;
    }
    if (got < 0) return Error::Errno("read '{}'", path);
    if (got == 0) break;
    if (::archive_write_data(out.get(), from, static_cast<std::size_t>(got)) < 0) {
      return Problem(out.get(), "archive " + path);
    }
    at += got;
    TRY(going_on());
  }
  return {};
}

Result<ArchiveWriter> ArchiveWriter::Open(FdRef file, Compression compression, GoingOn going_on) {
  auto parts = std::make_unique<Parts>();
  archive* out = parts->out.get();
  ::archive_write_set_format_pax(out);
  // Names are bytes: no character set that this process could have knows all of them.
  ::archive_write_set_format_option(out, "pax", "hdrcharset", "BINARY");
  // Somebody stands still meanwhile: fast rather than small.
  const char* filter = compression == Compression::kGzip ? "gzip" : "zstd";
  const int added = compression == Compression::kGzip ? ::archive_write_add_filter_gzip(out)
                                                      : ::archive_write_add_filter_zstd(out);
  if (added != ARCHIVE_OK) return Problem(out, fmt::format("compress with {}", filter));
  ::archive_write_set_filter_option(out, filter, "compression-level", "1");
  ::archive_read_disk_set_symlink_physical(parts->disk.get());
  ::archive_read_disk_set_behavior(parts->disk.get(), ARCHIVE_READDISK_NO_FFLAGS);
  ::archive_entry_linkresolver_set_strategy(parts->links.get(), ::archive_format(out));
  parts->going_on = std::move(going_on);
  if (!parts->zeros.valid()) return Error::Errno("map zeros");
  if (::archive_write_open_fd(out, file.get()) != ARCHIVE_OK) {
    return Problem(out, "begin an archive");
  }
  return ArchiveWriter(std::move(parts));
}

Result<void> ArchiveWriter::Put(FdRef directory, const std::string& name, const std::string& path,
                                const struct stat& status) {
  TRY(parts_->going_on());
  const Entry entry(::archive_entry_new());
  UniqueFd file;
  TRY(parts_->Fill(directory, name, path, status, entry.get(), file));
  archive_entry* now = entry.get();
  archive_entry* later = nullptr;
  ::archive_entry_linkify(parts_->links.get(), &now, &later);
  if (::archive_write_header(parts_->out.get(), now) != ARCHIVE_OK) {
    return Problem(parts_->out.get(), "archive " + path);
  }
  const bool has_content = S_ISREG(status.st_mode) && ::archive_entry_size(now) > 0;
  return has_content ? parts_->PutContent(now, file.ref(), path) : Result<void>();
}

Result<void> ArchiveWriter::PutMark(const std::string& path) {
  const Entry entry(::archive_entry_new());
  ::archive_entry_copy_pathname(entry.get(), path.c_str());
  ::archive_entry_set_filetype(entry.get(), AE_IFREG);
  ::archive_entry_set_size(entry.get(), 0);
  if (::archive_write_header(parts_->out.get(), entry.get()) != ARCHIVE_OK) {
    return Problem(parts_->out.get(), "archive " + path);
  }
  return {};
}

Result<void> ArchiveWriter::Finish() {
  if (::archive_write_close(parts_->out.get()) != ARCHIVE_OK) {
    return Problem(parts_->out.get(), "finish an archive");
  }
  return {};
}

ArchiveWriter::ArchiveWriter(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}
ArchiveWriter::ArchiveWriter(ArchiveWriter&&) noexcept = default;
ArchiveWriter::~ArchiveWriter() = default;

}  // namespace crd::runtime
