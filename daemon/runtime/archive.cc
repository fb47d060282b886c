#include "daemon/runtime/archive.h"

#include <algorithm>
#include <memory>
#include <string>
#include <system_error>
#include <thread>

#include <archive.h>
#include <archive_entry.h>
#include <dirent.h>
#include <fcntl.h>
#include <sched.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/base/files.h"

namespace crd::runtime {
namespace {

constexpr std::size_t kBlock = 64U << 10U;

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

Error Problem(archive* one, std::string_view what) {
  const char* why = ::archive_error_string(one);
  return {.code = Code::kDataLoss,
          .message = fmt::format("{}: {}", what, why == nullptr ? "no reason given" : why)};
}

class Writer {
 public:
  explicit Writer(FdRef file) : out_(::archive_write_new()), disk_(::archive_read_disk_new()) {
    ::archive_write_set_format_pax(out_.get());
    ::archive_write_add_filter_gzip(out_.get());
    // What is in a tmpfs is seldom big and often short-lived, and somebody stands still meanwhile.
    ::archive_write_set_filter_option(out_.get(), "gzip", "compression-level", "1");
    ::archive_read_disk_set_symlink_physical(disk_.get());
    ::archive_read_disk_set_behavior(disk_.get(), ARCHIVE_READDISK_NO_FFLAGS);
    links_.reset(::archive_entry_linkresolver_new());
    ::archive_entry_linkresolver_set_strategy(links_.get(), ::archive_format(out_.get()));
    opened_ = ::archive_write_open_fd(out_.get(), file.get()) == ARCHIVE_OK;
  }

  Result<void> Run(FdRef tree) {
    if (!opened_) return Problem(out_.get(), "begin an archive");
    struct stat status {};
    if (::fstat(tree.get(), &status) != 0) return Error::Errno("stat a directory");
    device_ = status.st_dev;
    TRY(Put(tree, ".", ".", status));
    TRY(PutInside(tree, "."));
    if (::archive_write_close(out_.get()) != ARCHIVE_OK) {
      return Problem(out_.get(), "finish an archive");
    }
    return {};
  }

 private:
  Result<void> PutInside(FdRef directory, const std::string& path) {
    for (const std::string& name : TRY(ListDirectory(directory))) {
      struct stat status {};
      if (::fstatat(directory.get(), name.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0) {
        return Error::Errno("stat '{}/{}'", path, name);
      }
      if (status.st_dev != device_ || S_ISSOCK(status.st_mode)) continue;
      const std::string below = path + "/" + name;
      TRY(Put(directory, name, below, status));
      if (!S_ISDIR(status.st_mode)) continue;
      const UniqueFd inner = TRY(OpenDirectoryAt(directory, name));
      TRY(PutInside(inner.ref(), below));
    }
    return {};
  }

  Result<void> Put(FdRef directory, const std::string& name, const std::string& path,
                   const struct stat& status) {
    const Entry entry(::archive_entry_new());
    ::archive_entry_copy_pathname(entry.get(), path.c_str());
    const bool has_content = S_ISREG(status.st_mode);
    UniqueFd file;
    // Nothing else is opened: a FIFO would wait for its other end, a device might do anything.
    if (has_content || S_ISDIR(status.st_mode)) {
      file.reset(::openat(directory.get(), name.c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC));
      if (!file.valid()) return Error::Errno("open '{}'", path);
      if (::archive_read_disk_entry_from_file(disk_.get(), entry.get(), file.get(), &status) !=
          ARCHIVE_OK) {
        return Problem(disk_.get(), "look at " + path);
      }
      ::archive_entry_copy_pathname(entry.get(), path.c_str());
    } else {
      ::archive_entry_copy_stat(entry.get(), &status);
      if (S_ISLNK(status.st_mode)) TRY(PutTarget(directory, name, entry.get()));
    }
    archive_entry* now = entry.get();
    archive_entry* later = nullptr;
    ::archive_entry_linkify(links_.get(), &now, &later);
    if (::archive_write_header(out_.get(), now) != ARCHIVE_OK) {
      return Problem(out_.get(), "archive " + path);
    }
    return has_content && ::archive_entry_size(now) > 0 ? PutContent(now, file.ref(), path)
                                                        : Result<void>();
  }

  static Result<void> PutTarget(FdRef directory, const std::string& name, archive_entry* entry) {
    std::string target(kBlock, '\0');
    const ssize_t size = ::readlinkat(directory.get(), name.c_str(), target.data(), target.size());
    if (size < 0) return Error::Errno("read link '{}'", name);
    target.resize(static_cast<std::size_t>(size));
    ::archive_entry_copy_symlink(entry, target.c_str());
    return {};
  }

  // The format leaves out the holes that it knows of.
  Result<void> PutContent(archive_entry* entry, FdRef file, const std::string& path) {
    std::string block(kBlock, '\0');
    for (std::int64_t left = ::archive_entry_size(entry); left > 0;) {
      const ssize_t size =
          ::read(file.get(), block.data(), std::min(block.size(), static_cast<std::size_t>(left)));
      if (size < 0) return Error::Errno("read '{}'", path);
      if (size == 0) break;
      if (::archive_write_data(out_.get(), block.data(), static_cast<std::size_t>(size)) < 0) {
        return Problem(out_.get(), "archive " + path);
      }
      left -= size;
    }
    return {};
  }

  Archive out_;
  Archive disk_;
  std::unique_ptr<archive_entry_linkresolver, FreeResolver> links_;
  bool opened_ = false;
  dev_t device_ = 0;
};

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

Result<void> ExtractHere(FdRef file) {
  const Archive in(::archive_read_new());
  ::archive_read_support_filter_gzip(in.get());
  ::archive_read_support_format_tar(in.get());
  if (::archive_read_open_fd(in.get(), file.get(), kBlock) != ARCHIVE_OK) {
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
    if (::archive_write_header(out.get(), entry) != ARCHIVE_OK) {
      return Problem(out.get(), fmt::format("make {}", ::archive_entry_pathname(entry)));
    }
    if (::archive_entry_size(entry) > 0) TRY(CopyContent(in.get(), out.get()));
  }
  if (::archive_write_close(out.get()) != ARCHIVE_OK) return Problem(out.get(), "write an archive");
  return {};
}

}  // namespace

Result<void> WriteArchive(FdRef tree, FdRef file) { return Writer(file).Run(tree); }

Result<void> ExtractArchive(FdRef file, FdRef into) {
  Result<void> result;
  // libarchive writes where the thread is.
  const auto work = [&]() -> Result<void> {
    if (::unshare(CLONE_FS) != 0) return Error::Errno("leave the process's working directory");
    if (::fchdir(into.get()) != 0) return Error::Errno("enter a directory");
    ::umask(0);
    return ExtractHere(file);
  };
  try {
    std::thread([&] { result = work(); }).join();
  } catch (const std::system_error& error) {
    return Error::FromErrno(error.code().value(), "start a thread");
  }
  return result;
}

}  // namespace crd::runtime
